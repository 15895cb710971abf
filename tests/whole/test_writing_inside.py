"""A run folder, a task YAML and results of lm-eval may come from a stranger: nothing outside the named folder changes."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Here
from judge_server import JudgeServer
from judged_run import KEY, KEY_ENV, write_judge
from simulated_run import simulate

from lensbench.errors import LensbenchError
from lensbench.interop.lm_eval.import_run import import_lm_eval
from lensbench.methods.saved import save_tensors
from lensbench.records import RunFolder
from lensbench.stages.results import write_results

MINI = Path(__file__).parents[2] / "lensbench" / "datasets" / "mini"
NAME = "../../../x"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("whole") / "run"
    simulate(home, items=3, variants=("base", "lens"), languages=("en", "zh"), tasks=("xcopa", "mt_bench"))
    # Left for `judge` to do.
    (home / "items" / "verdicts.jsonl").unlink()
    write_results(RunFolder(home))
    return home


def _state(folder: Path, but: Path) -> dict[str, tuple[str, bytes]]:
    """Every file and link below a folder, without those of the run itself."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_relative_to(but):
            continue
        content = str(path.readlink()).encode() if path.is_symlink() else path.read_bytes() if path.is_file() else b""
        found[str(path)] = ("link" if path.is_symlink() else "file" if path.is_file() else "folder", content)
    return found


@pytest.fixture
def drill(
    whole: Path, tmp_path: Path, here: Here, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Callable[[Path, Path], None]], list[int]]:
    """Plants something in a copy of the run, calls every command that writes there, and looks around."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    judge = write_judge(elsewhere / "judge.yaml")
    monkeypatch.setenv(KEY_ENV, KEY)
    monkeypatch.setenv("LENSBENCH_CACHE", str(elsewhere / "cache"))

    def call(plant: Callable[[Path, Path], None]) -> list[int]:
        run, outside = tmp_path / "a" / "b" / "c" / "run", tmp_path / "outside"
        outside.mkdir()
        (outside / "file").write_text("mine\n", encoding="utf-8")
        shutil.copytree(whole, run)
        plant(run, outside)
        before = _state(tmp_path, run)
        codes = []
        with JudgeServer(lambda asked: "ok") as server:
            for words in (
                ("fidelity", run, "-i", "lid176"),
                ("judge", run, "--judge", judge, "--base-url", server.url, "--model", "m"),
                ("report", run),
                ("results", run, "--parquet"),
                ("figure", "understanding", run, "--out", run / "figure.svg"),
                ("table", "bilingual", run, "--out", run / "table.md"),
                ("project", run),
            ):
                code, said = here(*words)
                assert "Traceback" not in said and code in (0, 1, 2, 3), (words, said)
                codes.append(code)
        assert _state(tmp_path, run) == before
        return codes

    return call


def _link(path: Path, target: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    path.symlink_to(target)


FILES = (
    "report.md",
    "report.html",
    "results.json",
    "results.check.json",
    "counts.json",
    "judging.json",
    "judge_journal.jsonl",
    "items/verdicts.jsonl",
    "items/ungraded.jsonl",
    "items/identified.jsonl",
    "items.parquet",
    "cells.parquet",
    "figure.svg",
    "table.md",
    ".lock",
    "projections/lens.json",
)


def test_links_in_place_of_files(drill: Callable[..., list[int]]) -> None:
    def plant(run: Path, outside: Path) -> None:
        for name in FILES:
            _link(run / name, outside / "file")

    drill(plant)


def test_links_in_place_of_unfinished_files(drill: Callable[..., list[int]]) -> None:
    """Files are written beside and renamed; the name beside may be a link too. Here every command but `project` succeeds."""

    def plant(run: Path, outside: Path) -> None:
        for name in FILES:
            _link(run / f"{name}.partial", outside / "file")
        for path in list(run.glob("lm_eval/*/*")):
            _link(path.with_name(f"{path.name}.partial"), outside / "file")

    assert drill(plant)[:6] == [0] * 6


def test_links_in_place_of_folders(drill: Callable[..., list[int]]) -> None:
    def plant(run: Path, outside: Path) -> None:
        for name in ("lm_eval/lens", "projections", "enhancements", "judge_cache"):
            _link(run / name, outside)

    drill(plant)


def test_the_journal_of_a_judge_is_a_link(drill: Callable[..., list[int]]) -> None:
    """It is appended to, not renamed; alone, since other links stop `judge` before."""
    assert drill(lambda run, outside: _link(run / "judge_journal.jsonl", outside / "file"))[1] == 2


def test_the_folder_of_all_variants_is_a_link(drill: Callable[..., list[int]]) -> None:
    drill(lambda run, outside: _link(run / "lm_eval", outside))


@pytest.mark.parametrize("word", ["lens", "xcopa"])
def test_names_that_climb(word: str, drill: Callable[..., list[int]]) -> None:
    """Of a variant in `variants.json` and of a task in the records."""

    def plant(run: Path, outside: Path) -> None:
        for path in run.rglob("*.json*"):
            path.write_text(re.sub(rf'"{word}(?=["/])', f'"{NAME}', path.read_text(encoding="utf-8")), encoding="utf-8")

    drill(plant)


def test_a_lock_that_is_a_link_into_the_run(whole: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    before = (run / "run.json").read_bytes()
    _link(run / ".lock", run / "run.json")
    with RunFolder(run).lock():
        pass
    assert (run / "run.json").read_bytes() == before


def test_tensors_are_not_written_through_a_link(tmp_path: Path) -> None:
    import torch

    (tmp_path / "mine").write_text("mine", encoding="utf-8")
    for name in ("delta.safetensors", "delta.safetensors.partial"):
        _link(tmp_path / "home" / name, tmp_path / "mine")
    save_tensors({"a": torch.zeros(2)}, tmp_path / "home" / "delta.safetensors")
    assert (tmp_path / "mine").read_text(encoding="utf-8") == "mine"
    assert not (tmp_path / "home" / "delta.safetensors").is_symlink()


@pytest.mark.parametrize("key", ["task", "profile", "rows", "test_split"])
def test_names_in_task_yaml(key: str, tiny_model_dir: Path, here: Here, tmp_path: Path) -> None:
    home = tmp_path / "a" / "b" / "tasks"
    shutil.copytree(Path(__file__).parents[2] / "examples" / "task-opposites", home)
    text = (home / "opposites.yaml").read_text(encoding="utf-8")
    value = f"[{NAME}]" if key == "rows" else NAME
    text, changed = re.subn(rf"^{key}: .*$", f"{key}: {value}", text, flags=re.M)
    assert changed == 1
    (home / "opposites.yaml").write_text(text, encoding="utf-8")
    before = _state(tmp_path, tmp_path / "a" / "b" / "run")
    name = NAME if key == "task" else "opposites"
    for words in (
        ("tasks", "validate", home),
        ("tasks", "export", name, "--include-path", home, "--to", tmp_path / "a" / "b" / "run" / "e"),
        (
            "run",
            "--backbone",
            tiny_model_dir,
            "--tasks",
            name,
            "--languages",
            "zh",
            "--include-path",
            home,
            "--data",
            home / "data",
            "--limit",
            "1",
            "--out",
            tmp_path / "a" / "b" / "run",
        ),
    ):
        code, said = here(*words)
        assert code in (1, 2) and "Traceback" not in said, (words, said)
    assert _state(tmp_path, tmp_path / "a" / "b" / "run") == before


@pytest.mark.parametrize("name", [NAME, "x\\..\\y", "a\u0000b", "/etc/x"])
def test_names_in_results_of_lm_eval(name: str, tmp_path: Path) -> None:
    results = {name: {"acc,none": 0.5, "acc_stderr,none": 0.1}}
    content = {
        "results": results,
        "configs": {name: {"task": name}},
        "versions": {name: 1},
        "model_name": NAME,
        "lm_eval_version": "0.4.9",
        "config": {"model": "hf", "model_args": f"pretrained={NAME}"},
    }
    home = tmp_path / "a" / "b" / "theirs"
    home.mkdir(parents=True)
    (home / "results_2025-01-01T00-00-00.000000.json").write_text(json.dumps(content), encoding="utf-8")
    run = tmp_path / "a" / "b" / "run"
    before = _state(tmp_path, run)
    try:
        import_lm_eval([(None, home)], run)
    except LensbenchError:
        pass
    else:
        try:
            write_results(RunFolder(run))
        except LensbenchError as error:
            assert "cannot be the name" in error.message
    assert _state(tmp_path, run) == before
