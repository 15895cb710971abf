"""Packages whose methods and engines are wrong in ways that would go unnoticed, and the code of the example's README."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]

METHODS = '''
"""Shift with one fault each."""
from lensbench_shift.method import Shift, ShiftMethod

class Sticky(ShiftMethod):
    name = "sticky"
    def fit(self, loaded, corpora, config, progress):
        made = super().fit(loaded, corpora, config, progress)
        loaded.blocks[0].register_forward_hook(lambda module, inputs, output: output + 1.0)
        return made

class Raising(ShiftMethod):
    name = "raising"
    def fit(self, loaded, corpora, config, progress):
        loaded.blocks[0].register_forward_hook(lambda module, inputs, output: output + 1.0)
        raise ValueError("no such direction")

class Cardless(ShiftMethod):
    name = "cardless"
    def fit(self, loaded, corpora, config, progress):
        made = super().fit(loaded, corpora, config, progress)
        made.save = lambda folder: folder.mkdir(parents=True)
        return made

STICKY, RAISING, CARDLESS = Sticky(), Raising(), Cardless()
'''

INFO = """
from dataclasses import replace
from lensbench import EngineInfo, MethodInfo
from lensbench_shift import INFO
STICKY, RAISING, CARDLESS = (
    replace(INFO, name=name, target=f"faulty_methods:{name.upper()}") for name in ("sticky", "raising", "cardless")
)
SKIPS, SILENT = (
    EngineInfo(name=name, title=name, packages=(), extra="faulty", options=(), divides_work=False, one_variant_at_a_time=False,
               target=f"faulty_engines:{name.title()}")
    for name in ("skips", "silent")
)
"""

ENGINES = """
from lensbench import ScoredItems
from lensbench.engines.reference.engine import ReferenceEngine

class Skips(ReferenceEngine):
    handles_prompt_ends = False
    def score(self, requests, variants, wanted):
        last = list(requests.items)[-1] if len(requests.items) > 1 else None
        for part in super().score(requests, variants, wanted):
            keep = [place for place, item in enumerate(part.items) if item != last]
            answers = {name: [given[place] for place in keep] for name, given in part.answers.items()}
            yield ScoredItems([part.items[place] for place in keep], answers)

    def answer(self, requests, variants, language, on_answer):
        super().answer(requests, variants, language, lambda index, answer: index and on_answer(index, answer))

class Silent(ReferenceEngine):
    def answer(self, requests, variants, language, on_answer):
        pass
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The example method and a package of faults."""
    target = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    done = subprocess.run(
        [*command, "--target", str(target), str(ROOT / "examples" / "plugin-method")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    for name, text in (("faulty_methods", METHODS), ("faulty_info", INFO), ("faulty_engines", ENGINES)):
        (target / f"{name}.py").write_text(text)
    about = target / "faulty-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: faulty\nVersion: 1.0\n")
    methods = "".join(f"{name} = faulty_info:{name.upper()}\n" for name in ("sticky", "raising", "cardless"))
    (about / "entry_points.txt").write_text(
        f"[lensbench.methods]\n{methods}[lensbench.engines]\nskips = faulty_info:SKIPS\nsilent = faulty_info:SILENT\n"
    )
    return {"PYTHONPATH": str(target)}


def shared(model: Path, out: Path, tasks: str = "xcopa") -> tuple[Any, ...]:
    command = ("run", "-b", model, "-l", "zh", "--data", "embedded", "-t", tasks, "--limit", "3", "--engine", "reference")
    return (*command, "--max-new-tokens", "4", "--out", out)


def scores(out: Path, variant: str) -> dict[str, list[float]]:
    lines = (out / "items" / "score.jsonl").read_text(encoding="utf-8").splitlines()
    return {r["item"]: r["loglikelihoods"] for r in map(json.loads, lines) if r["variant"] == variant}


def test_fits_that_fail_are_named_and_leave_base_and_the_others_alone(
    cli: Callable[..., Any], installed: dict[str, str], tiny_model_dir: Path, tmp_path: Path
) -> None:
    alone, out = tmp_path / "alone", tmp_path / "run"
    assert cli(*shared(tiny_model_dir, alone)).returncode == 0
    pairs = [word for name in ("sticky", "raising", "cardless", "shift") for word in ("--set", f"{name}.n_pairs=8")]
    done = cli(*shared(tiny_model_dir, out), "-m", "sticky,raising,cardless,shift", *pairs, env=installed)
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    failed = json.loads((out / "results.json").read_text(encoding="utf-8"))["failed"]
    assert set(failed) == {"sticky", "raising", "cardless"}
    assert "the fit has changed the backbone: the module 'model.layers.0' has other hooks" in failed["sticky"]
    assert "raising: the fit failed: ValueError: no such direction" in failed["raising"]
    assert re.search(r"faulty_methods\.py, line 16\b", done.stderr), "file and line of the package's code"
    assert "the method saved no card.json" in failed["cardless"]
    assert scores(out, "base") == scores(alone, "base"), "the hooks that fits left are gone"
    assert scores(out, "shift").keys() == scores(out, "base").keys()


@pytest.mark.parametrize(
    ("engine", "tasks", "says"),
    [
        ("skips", "xcopa", "engine 'skips' (faulty_engines:Skips) left 1 of 3 items of xcopa en"),
        ("skips", "multiq", "engine 'skips' (faulty_engines:Skips) left 1 of 3 questions of multiq en"),
        ("silent", "multiq", "engine 'silent' (faulty_engines:Silent) left 3 of 3 questions of multiq en"),
    ],
)
def test_an_engine_that_leaves_items_out_is_named(
    cli: Callable[..., Any], installed: dict[str, str], tiny_model_dir: Path, tmp_path: Path, engine: str, tasks: str, says: str
) -> None:
    done = cli(*shared(tiny_model_dir, tmp_path / "run", tasks), "--engine", engine, env=installed)
    assert done.returncode == 1 and says in done.stderr and "Traceback" not in done.stderr, done.stderr


def test_the_code_of_the_readme_runs(installed: dict[str, str], tiny_model_dir: Path, tmp_path: Path) -> None:
    readme = (ROOT / "examples" / "plugin-method" / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"`(lensbench\.fit\([^`]*\))`", readme)
    script = (
        "import lensbench\nfrom transformers import AutoModelForCausalLM, AutoTokenizer\n"
        f"model = AutoModelForCausalLM.from_pretrained({str(tiny_model_dir)!r})\n"
        f"tokenizer = AutoTokenizer.from_pretrained({str(tiny_model_dir)!r})\n"
        "pairs = [(f'cat number {n}', f'第 {n} 只猫') for n in range(8)]\n"
        f"fitted = {code}\nprint(fitted.card['cost']['training_items'])\n"
        f"saved = fitted.save({str(tmp_path / 'saved')!r})\n"
        "again = lensbench.load_enhancement('shift', saved, model, tokenizer)\n"
        "print(again.enhancement.digest == fitted.enhancement.digest)\n"
    )
    path = f"{installed['PYTHONPATH']}:{ROOT}"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path})
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["8", "True"]
