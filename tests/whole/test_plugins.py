"""Methods of other packages: the example, installed for real, and a package that breaks on import."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lensbench.errors import RunError
from lensbench.metrics import Corpus, Metric, ScoredItem
from lensbench.tasks.package_metrics import compute_metric, corpus_statistics

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The example package in a folder of its own, and the environment that finds it."""
    target = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    for name in ("plugin-method", "plugin-metric"):
        done = subprocess.run([*command, "--target", str(target), str(ROOT / "examples" / name)], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    _bring_files(target)
    broken = target / "broken_method-1.0.dist-info"
    broken.mkdir()
    (broken / "METADATA").write_text("Metadata-Version: 2.1\nName: broken-method\nVersion: 1.0\n")
    (broken / "entry_points.txt").write_text(
        "[lensbench.methods]\nshatter = broken_method:INFO\n[lensbench.metrics]\nshards = broken_method:METRIC\n"
    )
    (target / "broken_method.py").write_text("raise RuntimeError('no such luck')\n")
    return {"PYTHONPATH": str(target)}


def _bring_files(target: Path) -> None:
    """A package that brings a backbone, a judge and a task as YAML files."""
    package = target / "brings"
    shutil.copytree(ROOT / "examples" / "task-opposites", package / "opposites")
    (package / "__init__.py").write_text(
        "from pathlib import Path\nHERE = Path(__file__).parent\n"
        "BACKBONE = HERE / 'mine.yaml'\nJUDGE = str(HERE / 'strict.yaml')\nTASK = HERE / 'opposites' / 'opposites.yaml'\n"
    )
    (package / "mine.yaml").write_text("backbone: mine-1b\ntitle: Mine\nhub: someone/mine-1b\n")
    prompts = ROOT / "judges" / "prompts"
    forms = "".join(f"  {form}: {prompts / form}.jinja\n" for form in ("turn1", "turn1_reference", "turn2", "turn2_reference"))
    (package / "strict.yaml").write_text(f"judge: strict\ntitle: Strict\nmodel: m\nprompts:\n{forms}")
    about = target / "brings-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: brings\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(
        "[lensbench.backbones]\nmine-1b = brings:BACKBONE\nlost = brings:NOTHING\n"
        "[lensbench.judges]\nstrict = brings:JUDGE\n[lensbench.tasks]\nopposites = brings:TASK\nrenamed = brings:TASK\n"
    )


def test_packages_bring_backbones_judges_and_tasks(cli: Callable[..., Any], installed: dict[str, str], tmp_path: Path) -> None:
    data = ROOT / "examples" / "task-opposites" / "data"
    done = cli("run", "-b", "mine-1b", "-t", "opposites", "-l", "zh", "--data", data, "--dry-run", env=installed)
    assert done.returncode == 0, done.stderr
    assert "Mine" in done.stdout and "opposites" in done.stdout
    (tmp_path / "run.json").write_text("{}")
    asked = cli("judge", tmp_path, "--judge", "strickt", env=installed)
    assert asked.returncode == 2 and "Did you mean 'strict'?" in asked.stderr
    keyless = cli("judge", tmp_path, "--judge", "strict", env={**installed, "OPENAI_API_KEY": ""})
    assert keyless.returncode == 1 and "judge 'strict' needs a key" in keyless.stderr
    lost = cli("run", "-b", "lost", "-t", "xcopa", "--data", "embedded", "--dry-run", env=installed)
    assert lost.returncode == 1 and "'lost' of the package 'brings' cannot be used: AttributeError" in lost.stderr
    near = cli("run", "-b", "mine-1c", "-t", "xcopa", "--data", "embedded", "--dry-run", env=installed)
    assert near.returncode == 2 and "Did you mean 'mine-1b'?" in near.stderr


def test_the_example_is_listed_and_a_broken_one_does_no_harm(cli: Callable[..., Any], installed: dict[str, str]) -> None:
    done = cli("ls", "methods", env=installed)
    assert done.returncode == 0, done.stderr
    assert "lensbench-shift" in done.stdout and "RuntimeError: no such luck" in done.stdout and "lens " in done.stdout
    asked = cli("run", "-m", "shatter", "-b", "smollm2-135m", "--data", "embedded", "--dry-run", env=installed)
    assert asked.returncode == 1
    assert "method 'shatter' of the package 'broken-method' cannot be used: RuntimeError: no such luck" in asked.stderr


def test_tasks_of_packages_are_listed(cli: Callable[..., Any], installed: dict[str, str]) -> None:
    done = cli("ls", "tasks", "--json", env=installed)
    found = {(row["name"], row["profile"]): row for row in json.loads(done.stdout)}
    assert found["opposites", "lens-paper"]["origin"] == "brings"
    assert found["opposites", "lens-paper"]["languages"] == ["en", "sw", "zh"]
    assert found["xcopa", "lens-paper"]["origin"] == "lensbench"
    shown = cli("tasks", "show", "opposites", env=installed)
    assert shown.returncode == 0 and "task: opposites" in shown.stdout
    # The task of a package must have the name of its entry point, by which it is asked for.
    assert found["renamed", None]["title"].endswith("the entry point of its package 'renamed'")
    asked = cli("run", "-b", "smollm2-135m", "-t", "renamed", "--data", "embedded", "--dry-run", env=installed)
    assert asked.returncode == 2 and "the task is called 'opposites'" in asked.stderr


HOSTILE = {
    "prints": 'print(\'{"not": "json"}\')',
    "prints-below-python": "import os; os.write(1, b'not json')",
    "prints-in-a-child": "import subprocess; subprocess.run(['echo', 'not json'])",
    "takes-stdout": "import sys; sys.stdout = sys.stderr = open('/dev/null', 'w')",
    "closes-stdout": "import sys; sys.stdout.close()",
    "exits": "import sys; sys.exit(0)",
    "exits-with-words": "raise SystemExit('gone')",
    "ends-the-process": "import os; os._exit(0)",
    "crashes": "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
    "raises-base": "class Odd(BaseException): pass\nraise Odd('odd\\x1b[2J')",
    "interrupts": "raise KeyboardInterrupt",
    "generator-exit": "raise GeneratorExit('g')",
    "mute": "class Mute(Exception):\n    def __str__(self): raise SystemExit\nraise Mute",
    "no-info": "INFO = 3",
    "handlers": "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\nINFO = None",
}


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A package for each thing that an import can do to a program, and one whose metadata cannot be read."""
    site = tmp_path_factory.mktemp("hostile")
    for name, code in HOSTILE.items():
        module = name.replace("-", "_") + "_method"
        (site / f"{module}.py").write_text(code + "\n")
        about = site / f"{module}-1.0.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
        groups = ("methods", "metrics", "backbones", "judges", "tasks")
        (about / "entry_points.txt").write_text("".join(f"[lensbench.{g}]\n{name} = {module}:INFO\n" for g in groups))
    broken = site / "unreadable-1.0.dist-info"
    broken.mkdir()
    (broken / "entry_points.txt").write_bytes(b"[lensbench.methods]\n\xff\xfe = nothing:INFO\n")
    return {"PYTHONPATH": str(site)}


def test_hostile_packages_do_no_harm_to_lists(cli: Callable[..., Any], hostile: dict[str, str]) -> None:
    done = cli("ls", "methods", "--json", env=hostile)
    assert done.returncode == 0, done.stderr
    found = {row["name"]: row for row in json.loads(done.stdout)}
    assert set(found) == {"lens", "incline", "xsft", "xsft-full", "qalign", "sdrrl", *HOSTILE}
    assert all(found[name]["kind"] == "broken" for name in HOSTILE)
    assert "AttributeError" in found["prints"]["changes"], "it printed, and has no INFO"
    says = {
        "exits": "SystemExit: 0",
        "exits-with-words": "SystemExit: gone",
        "raises-base": r"Odd: odd\x1b[2J",
        "interrupts": "KeyboardInterrupt: no message",
        "mute": "Mute: its message cannot be read",
        "crashes": "signal 11",
        "ends-the-process": "ends the process",
    }
    for name, text in says.items():
        assert text in found[name]["changes"], name
    for kind in ("methods", "metrics", "tasks", "backbones", "judges"):
        listed = cli("ls", kind, env=hostile)
        assert listed.returncode == 0 and listed.stdout and "\x1b" not in listed.stdout, listed.stderr


@pytest.mark.parametrize("name", ["prints", "takes-stdout", "closes-stdout", "exits", "raises-base", "interrupts", "mute"])
def test_a_hostile_package_that_is_asked_for_is_an_error_in_words(
    cli: Callable[..., Any], hostile: dict[str, str], name: str
) -> None:
    asked = [("-m", name, "-b", "smollm2-135m")]
    if name in ("prints", "exits"):
        asked += [("-b", name), ("-b", "smollm2-135m", "-t", name)]
    for words in asked:
        done = cli("run", *words, "--data", "embedded", "--dry-run", "--json", env=hostile)
        assert done.returncode == 1 and done.stdout == "", done.stderr
        assert f"'{name}' of the package" in done.stderr and "Traceback" not in done.stderr


def test_a_user_can_still_stop_an_import(tmp_path: Path) -> None:
    """Ctrl-C while a package is imported is the user's, not the package's."""
    (tmp_path / "slow_method.py").write_text(
        "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nimport time; time.sleep(30)\n"
    )
    about = tmp_path / "slow_method-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: slow\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[lensbench.methods]\nslow = slow_method:INFO\n")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    command = [sys.executable, "-m", "lensbench", "run", "-m", "slow", "-b", "smollm2-135m", "--dry-run"]
    # A shell starts its background jobs, and so whatever they start, with Ctrl-C ignored.
    heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, preexec_fn=heard)
    assert done.returncode == 130 and "stopped" in done.stderr


def test_the_example_runs_beside_lens(
    cli: Callable[..., Any], installed: dict[str, str], tiny_model_dir: Path, tmp_path: Path
) -> None:
    command = (
        "run",
        "-m",
        "shift,lens",
        "-b",
        tiny_model_dir,
        "-l",
        "zh",
        "--data",
        "embedded",
        "-t",
        "xcopa",
        "--limit",
        "3",
        "--set",
        "shift.n_pairs=8",
        "--set",
        "lens.n_probe=8",
        "--set",
        "lens.n_parallel=16",
        "--set",
        "lens.warmup_ratio=0",
        "--set",
        "shift.strength=3",
        "--out",
        tmp_path / "run",
    )
    done = cli(*command, env=installed)
    assert done.returncode == 0, done.stderr
    records = [json.loads(line) for line in (tmp_path / "run" / "items" / "score.jsonl").read_text().splitlines()]
    lls = {(r["variant"], r["language"], r["item"]): r["loglikelihoods"] for r in records}
    by = {(v, language): [x for (a, b, _), x in lls.items() if (a, b) == (v, language)] for v, language, _ in lls}
    assert by["shift", "en"] == by["base", "en"], "the central language is left as it is"
    assert by["shift", "zh"] != by["base", "zh"] != by["lens", "zh"]
    # A second start fits nothing again and gives the same numbers.
    again = cli(*command, env=installed)
    assert again.returncode == 0 and again.stdout == done.stdout
    assert cli("merge", tmp_path / "run", "--variant", "shift", "--to", tmp_path / "m", env=installed).returncode == 2


@pytest.mark.parametrize(
    ("extra", "says"),
    [
        (("-m", "lens,lens"), "given twice"),
        (("-m", "shift,lens", "--set", "n_probe=8"), "which method?"),
        (("-m", "shift", "--set", "strenght=2"), "did you mean 'strength'?"),
        (("-m", "shfit"), "Did you mean 'shift'?"),
    ],
)
def test_mistakes(cli: Callable[..., Any], installed: dict[str, str], extra: tuple[str, ...], says: str) -> None:
    done = cli("run", "-b", "smollm2-135m", "-l", "zh", "--data", "embedded", "--dry-run", *extra, env=installed)
    assert done.returncode == 2 and says in done.stderr


def _task_with(folder: Path, metrics: str) -> Path:
    """XCOPA under another name, with another `metric_list`."""
    text = (ROOT / "tasks" / "xcopa.lens-paper.yaml").read_text(encoding="utf-8")
    old = "metric_list: [{metric: acc, aggregation: mean, higher_is_better: true}]"
    assert old in text
    folder.mkdir()
    changed = text.replace(old, f"metric_list: [{metrics}]").replace("task: xcopa", "task: mine", 1)
    (folder / "mine.yaml").write_text(changed, encoding="utf-8")
    return folder


@pytest.mark.parametrize("metrics", ["{metric: acc}, {metric: gold_probability}", "{metric: gold_probability}"])
def test_the_example_metric_is_computed_and_shown(
    cli: Callable[..., Any], installed: dict[str, str], tiny_model_dir: Path, tmp_path: Path, metrics: str
) -> None:
    folder = _task_with(tmp_path / "mine", metrics)
    command = ("run", "-b", tiny_model_dir, "-m", "shift", "-l", "zh", "-t", "mine", "--include-path", folder, "--limit", "6")
    more = ("--data", "embedded", "--set", "shift.n_pairs=8", "--set", "shift.strength=3", "--out", tmp_path / "run")
    done = cli(*command, *more, env=installed)
    assert done.returncode == 0, done.stderr
    items = {r["key"]: r for r in map(json.loads, (tmp_path / "run" / "items" / "items.jsonl").read_text().splitlines())}
    records = [json.loads(line) for line in (tmp_path / "run" / "items" / "score.jsonl").read_text().splitlines()]
    values: dict[tuple[str, str], list[float]] = {}
    for record in records:
        item = items[record["item"]]
        right = [continuation.strip() for _, continuation in item["requests"]].index(item["gold"].strip())
        expected = np.exp(record["loglikelihoods"]) / np.exp(record["loglikelihoods"]).sum()
        assert record["metrics"]["gold_probability"] == pytest.approx(expected[right])
        values.setdefault((record["language"], record["variant"]), []).append(expected[right])
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    cells = {(c["language"], c["variant"]): c for c in results["cells"] if c["metric"] == "gold_probability"}
    assert {key: cell["value"] for key, cell in cells.items()} == {k: pytest.approx(np.mean(v)) for k, v in values.items()}
    assert all((cell["unit"], cell["higher_is_better"]) == ("share", True) for cell in cells.values())
    # It is the task's own number, which is tested, where there is no accuracy.
    assert (cells["zh", "shift"]["p_value"] is not None) == (metrics == "{metric: gold_probability}")
    shown = cli("show", tmp_path / "run", "--all", env=installed)
    assert "P(right)" in " ".join(shown.stdout.split())
    # Without the package the run can still be shown: the file has the numbers, the unit and the direction.
    bare = cli("show", tmp_path / "run", "--all")
    assert bare.returncode == 0 and "gold_probability" in bare.stdout and "lower is better" not in bare.stdout


def test_an_edited_metric_does_not_go_on_with_old_numbers(
    cli: Callable[..., Any], installed: dict[str, str], tiny_model_dir: Path, tmp_path: Path
) -> None:
    """The package's version is the same: only the file says that the metric is another one."""
    site = tmp_path / "site"
    shutil.copytree(installed["PYTHONPATH"], site)
    folder = _task_with(tmp_path / "mine", "{metric: gold_probability}")
    command = ("run", "-b", tiny_model_dir, "-l", "zh", "-t", "mine", "--include-path", folder, "--limit", "2", "--no-english")
    more = ("--data", "embedded", "--out", tmp_path / "run")
    assert cli(*command, *more, env={"PYTHONPATH": str(site)}).returncode == 0
    again = cli(*command, *more, env={"PYTHONPATH": str(site)})
    assert again.returncode == 0, again.stderr
    code = site / "lensbench_gold_probability.py"
    text = code.read_text(encoding="utf-8")
    code.write_text(text.replace("return weights[item.gold] / sum(weights)", "return 0.5"), encoding="utf-8")
    refused = cli(*command, *more, env={"PYTHONPATH": str(site)})
    assert refused.returncode == 2 and "protocol" in refused.stderr, refused.stderr
    assert cli("show", tmp_path / "run", env={"PYTHONPATH": str(site)}).returncode == 0


@pytest.mark.parametrize(
    ("metrics", "code", "says"),
    [
        ("{metric: shards}", 1, "metric 'shards' of the package 'broken-method' cannot be used: RuntimeError: no such luck"),
        ("{metric: gold_probability, aggregation: median}", 2, "lensbench takes the mean over items"),
        ("{metric: gold_probability, weight: 2}", 2, "takes no 'weight'"),
    ],
)
def test_a_metric_that_cannot_be_computed_is_refused_at_the_plan(
    cli: Callable[..., Any], installed: dict[str, str], tmp_path: Path, metrics: str, code: int, says: str
) -> None:
    folder = _task_with(tmp_path / "mine", metrics)
    done = cli(
        "run",
        "-b",
        "smollm2-135m",
        "-l",
        "zh",
        "-t",
        "mine",
        "--include-path",
        folder,
        "--data",
        "embedded",
        "--dry-run",
        env=installed,
    )
    assert done.returncode == code and says in " ".join(done.stderr.split()), done.stderr


def test_metrics_are_listed_and_a_broken_one_does_no_harm(cli: Callable[..., Any], installed: dict[str, str]) -> None:
    done = cli("ls", "metrics", "--json", env=installed)
    found = {row["name"]: row for row in json.loads(done.stdout)}
    assert found["acc"]["title"] == "accuracy" and found["rating"]["unit"] == "rating"
    assert found["gold_probability"]["origin"] == "lensbench-gold-probability"
    assert found["shards"]["computed_from"] == "broken" and "no such luck" in found["shards"]["title"]


def test_a_metric_that_fails_names_the_item() -> None:
    def fails(item: ScoredItem) -> float:
        return 1 / len(item.doc)

    metric = Metric("odd", "odd", per_item=fails, origin="odd-package")
    item = ScoredItem({}, ("A", "B"), 0, (-1.0, -2.0), (True, False), (1, 1))
    with pytest.raises(RunError, match=r"'odd' of the package 'odd-package', xcopa/zh, row 3: ZeroDivisionError"):
        compute_metric(metric, item, "xcopa/zh, row 3")
    for value in (math.nan, None, "1"):
        with pytest.raises(RunError, match="no finite number"):
            compute_metric(dataclasses.replace(metric, per_item=lambda item, value=value: value), item, "")


def test_a_metric_of_the_corpus_gives_statistics_and_the_value_of_an_item() -> None:
    corpus = Corpus(lambda item: (-item.loglikelihoods[0], len(item.choices[0])), lambda sums: sums[..., 0] / sums[..., 1])
    metric = Metric("nats", "nats per character", corpus=corpus, origin="odd-package")
    item = ScoredItem({}, ("four", "B"), 0, (-1.0, -2.0), (True, False), (1, 1))
    assert corpus_statistics(metric, item, "") == [1.0, 4.0]
    assert compute_metric(metric, item, "") == 0.25
    nothing = dataclasses.replace(item, loglikelihoods=(math.inf, -2.0))
    with pytest.raises(RunError, match="'nats' of the package 'odd-package', row 1: it is -inf, which is no finite number"):
        corpus_statistics(metric, nothing, "row 1")
