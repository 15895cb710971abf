"""All fuzzers together: 3,000 inputs as a slow test, under five minutes; some 300 as part of the others.

Each draws from its own seeds: `fuzz_yaml` (task, rows, profile and language YAML, JSON lines), `fuzz_judge` (judge YAML, replies
of servers, stored files), `fuzz_import` (originals of every importer), `fuzz_runs` (run folders), `fuzz_models` (model folders)
and `fuzz_lm_eval` (results of lm-eval). A traceback, a hang, a write outside the named folder, code that ran or a row lost
without a word is a fault.
"""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import fuzz_import
import fuzz_judge
import fuzz_lm_eval
import fuzz_models
import fuzz_runs
import fuzz_yaml
import pytest

from lensbench.errors import LensbenchError

SECONDS = 300
"""Of the 3,000 inputs on an idle machine."""
HANGS = 60
SEED = int(os.environ.get("LENSBENCH_FUZZ_SEED", "50000"))
"""Of the first of the 3,000; another one tries other inputs."""


@contextmanager
def no_hang(what: str) -> Iterator[None]:
    """Whatever is still at it after a minute of the clock hangs; a busy machine takes its time."""

    def late(*_: Any) -> None:
        raise TimeoutError(f"{what} hangs")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(HANGS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def yaml_files(count: int, seed: int, home: Path) -> list[str]:
    return [f"YAML, seed {number}: {fault}" for number, fault in fuzz_yaml.failures(range(seed, seed + count), home)]


def lm_eval_files(count: int, seed: int, home: Path) -> list[str]:
    found = []
    for number in range(seed, seed + count):
        with no_hang(f"results of lm-eval, seed {number}"):
            found += fuzz_lm_eval.try_one(home / "one", number)
    return found


def originals(count: int, seed: int, home: Path) -> list[str]:
    found = []
    for number, (name, how, content) in enumerate(fuzz_import.inputs(count, seed)):
        with no_hang(f"{name}, {how}"):
            found += [f"{name}, {how}: {fault}" for fault in fuzz_import.faults(name, how, content, home / str(number))]
        shutil.rmtree(home / str(number))
    return found


def run_folders(count: int, seed: int, home: Path) -> list[str]:
    whole, found = fuzz_runs.small_run(home / "whole"), []
    for number in range(seed, seed + count):
        with no_hang(f"run folder, seed {number}"):
            found += fuzz_runs.try_one(whole, home / "one", number)
    return found


def judges(count: int, seed: int, home: Path) -> list[str]:
    # It raises at the first fault, and tries four kinds in each round, the last every fourth time.
    try:
        fuzz_judge.fuzz(max(1, count * 4 // 13), seed)
    except AssertionError:
        return [traceback.format_exc()]
    return []


def model_folders(source: Path) -> Callable[[int, int, Path], list[str]]:
    def tried(count: int, seed: int, home: Path) -> list[str]:
        found = []
        for number, mutation in enumerate(itertools.islice(fuzz_models.mutations(seed), count)):
            folder = fuzz_models.broken_copy(source, home / str(number), mutation)
            try:
                with no_hang(mutation[0]):
                    fuzz_models.open_and_use(folder)
            except LensbenchError:
                pass
            except BaseException:
                found.append(f"model folder, {mutation[0]}: {traceback.format_exc()[-800:]}")
            shutil.rmtree(folder)
        return found

    return tried


def test_spoiled_results_of_lm_eval(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LENSBENCH_CACHE", str(tmp_path / "cache"))
    assert lm_eval_files(40, 0, tmp_path) == []


def test_the_results_they_are_made_from_are_read(tmp_path: Path) -> None:
    from lensbench.interop.lm_eval.import_run import import_lm_eval
    from lensbench.numbers.results import collect_results

    for name, correct in (("a", 1), ("b", 3)):
        fuzz_lm_eval.write_results(tmp_path / name, name, correct)
    made = import_lm_eval([(None, tmp_path / "a"), ("b", tmp_path / "b")], tmp_path / "run")
    cells = collect_results(made.folder)["cells"]
    assert [(cell["variant"], cell["value"], cell["n"]) for cell in cells] == [("base", 0.25, 4), ("b", 0.75, 4)]


@pytest.mark.parametrize(("name", "file"), [("xcopa-sw", "xcopa-sw"), ("xcopa-sw", "xcopa_sw"), ("my/xcopa", "my_xcopa")])
def test_samples_of_names_that_lm_eval_cleans(tmp_path: Path, name: str, file: str) -> None:
    """lm_eval/utils.py, sanitize_task_name: what is no letter or digit becomes `_`, since some version."""
    from lensbench.interop.lm_eval.reading import read_lm_eval

    fuzz_lm_eval.write_results(tmp_path / "a", "a", 1)
    for path in (tmp_path / "a").iterdir():
        path.write_text(path.read_text().replace("xcopa_sw", name))
        path.rename(path.with_name(path.name.replace("xcopa_sw", file)))
    (model,) = read_lm_eval(tmp_path / "a")
    assert len(model.tasks[name].samples or ()) == fuzz_lm_eval.ITEMS


@pytest.mark.parametrize("kind", ["results", "samples"])
def test_a_pipe_is_not_waited_for(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from lensbench.interop.lm_eval.as_runs import as_runs

    monkeypatch.setenv("LENSBENCH_CACHE", str(tmp_path / "cache"))
    fuzz_lm_eval.write_results(tmp_path / "a", "a", 1)
    (path,) = (tmp_path / "a").glob(f"{kind}*")
    path.unlink()
    os.mkfifo(path)
    with no_hang("a pipe"), suppress(LensbenchError):
        assert as_runs([tmp_path / "a"])


@pytest.mark.slow
def test_three_thousand_inputs(tiny_model_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LENSBENCH_CACHE", str(tmp_path / "cache"))
    shares: list[tuple[str, Callable[[int, int, Path], list[str]], int]] = [
        ("yaml", yaml_files, 500),
        ("judges", judges, 1200),
        ("originals", originals, 800),
        ("run folders", run_folders, 100),
        ("model folders", model_folders(tiny_model_dir), 200),
        ("results of lm-eval", lm_eval_files, 200),
    ]
    assert sum(count for _, _, count in shares) == 3000
    began, faults, spent = time.monotonic(), [], {}
    for name, attempt, count in shares:
        home, start = tmp_path / name.replace(" ", "_"), time.monotonic()
        home.mkdir()
        faults += attempt(count, SEED, home)
        spent[name] = round(time.monotonic() - start)
    print(f"seconds: {spent}")
    assert faults == []
    # Three times as long is a machine that does other things as well.
    assert time.monotonic() - began < 3 * SECONDS, spent
