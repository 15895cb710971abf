"""Engines by name: the built-in ones, the example plugin installed for real, and packages that break."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lensbench.engines.registry import engine_names, engines, get_engine, open_engine
from lensbench.errors import UsageError
from lensbench.plugins import BrokenPlugin

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The example engine in a folder of its own, beside one that breaks on import, and the environment that finds them."""
    target = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    done = subprocess.run(
        [*command, "--target", str(target), str(ROOT / "examples" / "plugin-engine")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    about = target / "broken_engine-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: broken-engine\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[lensbench.engines]\nshatter = broken_engine:INFO\nwrong = wrong_engine:INFO\n")
    (target / "broken_engine.py").write_text("raise RuntimeError('no such luck')\n")
    (target / "wrong_engine.py").write_text("INFO = 'an engine'\n")
    return {"PYTHONPATH": str(target)}


def test_the_registry_imports_nothing_heavy() -> None:
    code = (
        "import sys, lensbench.engines.registry as r, lensbench.engines.base\n"
        "assert r.get_engine('vllm').one_variant_at_a_time and r.engine_names()[:3] == ['tree', 'reference', 'vllm']\n"
        "heavy = sorted({'torch', 'transformers', 'lm_eval', 'vllm'} & set(sys.modules))\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_every_built_in_engine_has_its_class() -> None:
    from lensbench.engines.base import BaseEngine
    from lensbench.plugins import target_of

    for name, info in engines().items():
        assert not isinstance(info, BrokenPlugin) and info.name == name and name in engine_names()
        assert issubclass(target_of(name, info.target, info.origin, "engine"), BaseEngine)


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="unknown engine 'tre'") as raised:
        get_engine("tre")
    assert "Did you mean 'tree'?" in (raised.value.hint or "")
    with pytest.raises(UsageError, match="unknown engine 'vlm'"):
        open_engine("vlm", None, None)  # type: ignore[arg-type]


def test_engines_are_listed_and_a_broken_one_does_no_harm(cli: Callable[..., Any], installed: dict[str, str]) -> None:
    done = cli("ls", "engines", "--json", env=installed)
    assert done.returncode == 0, done.stderr
    found = {row["name"]: row for row in json.loads(done.stdout)}
    assert set(found) == {"tree", "reference", "vllm", "float64", "shatter", "wrong"}
    assert found["float64"]["origin"] == "lensbench-float64" and found["float64"]["ranks"] is False
    assert found["tree"]["ranks"] is True and not found["tree"]["broken"]
    assert found["shatter"]["broken"] and found["shatter"]["title"] == "cannot be used: RuntimeError: no such luck"
    assert "is no EngineInfo named 'wrong'" in found["wrong"]["title"]
    table = cli("ls", "engines", env=installed)
    assert table.returncode == 0 and "float64" in table.stdout and "no such luck" in table.stdout
    help_text = cli("run", "--help", env=installed)
    assert "tree, reference, vllm, float64" in " ".join(help_text.stdout.split())
    checked = {f["what"]: f for f in json.loads(cli("doctor", "--json", env=installed).stdout)}
    assert checked["engine float64"]["ok"] and checked["engine tree"]["ok"] and not checked["engine shatter"]["ok"]
    assert "no such luck" in checked["engine shatter"]["found"]


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (
            ("--engine", "shatter"),
            1,
            "engine 'shatter' of the package 'broken-engine' cannot be used: RuntimeError: no such luck",
        ),
        (("--engine", "flaot64"), 2, "Did you mean 'float64'?"),
        (("--engine", "float64", "--data-parallel", "2"), 2, "Known with it: tree, reference."),
    ],
)
def test_mistakes(cli: Callable[..., Any], installed: dict[str, str], words: tuple[str, ...], code: int, says: str) -> None:
    done = cli("run", "-b", "smollm2-135m", "-l", "zh", "--data", "embedded", "--dry-run", *words, env=installed)
    assert done.returncode == code and says in done.stderr and "Traceback" not in done.stderr


def test_the_example_scores_and_answers(
    cli: Callable[..., Any], installed: dict[str, str], tiny_model_dir: Path, tmp_path: Path
) -> None:
    """A variant it holds, and one that it leaves to the reference engine."""
    shared = ("run", "-b", tiny_model_dir, "-l", "zh", "--data", "embedded", "-t", "xcopa,multiq", "--limit", "2")
    shared += ("-m", "lens,incline", "--set", "lens.n_probe=8", "--set", "lens.n_parallel=16", "--set", "lens.warmup_ratio=0")
    shared += ("--set", "incline.n_pairs=8", "--max-new-tokens", "5", "--dtype", "float32")
    records: dict[str, dict[str, dict[str, Any]]] = {}
    for engine in ("float64", "reference"):
        out = tmp_path / engine
        done = cli(*shared, "--engine", engine, "--out", out, env=installed)
        assert done.returncode == 0, done.stderr
        for stage in ("score", "answers"):
            lines = (out / "items" / f"{stage}.jsonl").read_text(encoding="utf-8").splitlines()
            records[engine, stage] = {r["key"]: r for r in map(json.loads, lines)}  # type: ignore[index]
        said = "the reference engine scores incline: it acts while the model runs" in done.stderr
        assert said == (engine == "float64")
    for stage in ("score", "answers"):
        mine, theirs = records["float64", stage], records["reference", stage]  # type: ignore[index]
        assert mine.keys() == theirs.keys() and mine
        for key, record in mine.items():
            if stage == "score":
                assert record["loglikelihoods"] == pytest.approx(theirs[key]["loglikelihoods"], abs=1e-4)
            else:
                assert record["text"] == theirs[key]["text"] and record["finish"] == theirs[key]["finish"]
    assert {r["variant"] for r in records["float64", "score"].values()} == {"base", "lens", "incline"}  # type: ignore[index]


def test_an_engine_refuses_what_acts_at_prompt_ends_unless_it_says_otherwise() -> None:
    from types import SimpleNamespace

    from lensbench.engines.base import BaseEngine
    from lensbench.engines.reference.engine import ReferenceEngine
    from lensbench.engines.tree.engine import TreeEngine
    from lensbench.engines.vllm.engine import VllmEngine

    class Plain(BaseEngine):
        pass

    class Telling(BaseEngine):
        handles_prompt_ends = True

    base, weights, hooks = (
        SimpleNamespace(name="v", enhancement=enhancement)
        for enhancement in (None, SimpleNamespace(mergeable=True), SimpleNamespace(mergeable=False))
    )
    plain, telling = (kind(None, None) for kind in (Plain, Telling))  # type: ignore[arg-type]
    assert plain.supports(base, "zh") is None and plain.supports(weights, "zh") is None  # type: ignore[arg-type]
    assert "acts while the model runs" in (plain.supports(hooks, "zh") or "")  # type: ignore[arg-type]
    assert telling.supports(hooks, "zh") is None  # type: ignore[arg-type]
    assert ReferenceEngine.handles_prompt_ends and TreeEngine.handles_prompt_ends and not VllmEngine.handles_prompt_ends
