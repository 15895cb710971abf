"""Records that are gone are missed, a run that was stopped never looks finished, and edited results are not believed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from conftest import Cli
from simulated_run import simulate

from lensbench.numbers.results import collect_results, current_results
from lensbench.numbers.run_results import read_results
from lensbench.records import RunFolder
from lensbench.reporting.text.table import missing_notes
from lensbench.stages.results import write_results


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("missing") / "run"
    folder = simulate(path, items=6, variants=("base", "lens"), languages=("en", "zh"), tasks=("xcopa", "mt_bench"))
    write_results(folder)
    return path


@pytest.fixture
def run(whole: Path, tmp_path: Path) -> RunFolder:
    return RunFolder.existing(Path(shutil.copytree(whole, tmp_path / "run")), lenient=True)


def cut(run: RunFolder, stage: str, kept: slice) -> int:
    path = run.log_path(stage)
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(lines[kept]), encoding="utf-8")
    return len(lines) - len(lines[kept])


def lacking(run: RunFolder, why: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for entry in current_results(run)["missing"]:
        if entry["why"] == why:
            found[entry["file"]] = found.get(entry["file"], 0) + entry["wanted"] - entry["has"]
    return found


def test_nothing_is_missing_of_a_whole_run(run: RunFolder) -> None:
    assert current_results(run)["missing"] == []
    assert missing_notes(read_results(collect_results(run)).missing) == []


@pytest.mark.parametrize("stage", ["score", "answers", "identified", "verdicts", "items"])
@pytest.mark.parametrize("kept", [slice(3, None), slice(0, 0)])
def test_lines_that_were_taken_out_are_missed(run: RunFolder, stage: str, kept: slice) -> None:
    taken = cut(run, stage, kept)
    assert lacking(run, "gone") == {f"{stage}.jsonl": taken}


@pytest.mark.parametrize("stage", ["score", "answers", "identified", "verdicts", "items"])
def test_a_file_that_is_gone_is_missed(run: RunFolder, stage: str) -> None:
    had = len(run.log_path(stage).read_text(encoding="utf-8").splitlines())
    run.log_path(stage).unlink()
    assert lacking(run, "gone") == {f"{stage}.jsonl": had}


def test_results_made_again_do_not_forget(run: RunFolder) -> None:
    """`fidelity` and `judge` make results of what is there; what was there before is still known."""
    cut(run, "verdicts", slice(2, None))
    write_results(run)
    assert lacking(run, "gone") == {"verdicts.jsonl": 2}


def test_a_run_without_counts_is_held_to_the_lines_its_results_name(run: RunFolder) -> None:
    (run.path / "counts.json").unlink()
    cut(run, "identified", slice(1, None))
    assert lacking(run, "gone") == {"identified.jsonl": 1}


@pytest.mark.parametrize(("stage", "promised"), [("score", 2 * 2 * 6), ("answers", 2 * 2 * 6)])
def test_a_run_that_was_stopped_is_held_to_its_plan(run: RunFolder, stage: str, promised: int) -> None:
    """As `fidelity` or `judge` leaves it: with results, made of half of what was planned."""
    for name in ("counts.json", "results.json"):
        (run.path / name).unlink()
    lines = run.log_path(stage).read_text(encoding="utf-8").splitlines()
    cut(run, stage, slice(0, len(lines) // 4))
    write_results(run)
    assert sum(lacking(run, "planned").values()) >= promised - len(lines) // 4
    assert any(
        note.startswith(f"! unfinished: items/{stage}.jsonl lacks")
        for note in missing_notes(read_results(current_results(run)).missing)
    )


def test_a_variant_and_a_task_of_the_plan_without_any_record_are_missed(run: RunFolder) -> None:
    content = run.read_json("run.json")
    content["spec"]["methods"].append({"method": "xsft", "config": {}})
    run.write_json("run.json", content)
    places = [entry["place"] for entry in current_results(run)["missing"]]
    assert "xsft on xcopa/zh" in places and "xsft on mt_bench/en" in places


def test_every_view_says_it(run: RunFolder, cli: Cli, tmp_path: Path) -> None:
    cut(run, "score", slice(2, None))
    words = "items/score.jsonl: 2 records that were there when results were made are gone"
    shown = cli("show", run.path)
    assert words in " ".join(shown.stdout.split())
    for arguments in (
        ["table", "bilingual", run.path],
        ["compare", run.path, run.path, "--variant", "base", "--with", "lens"],
        ["results", run.path, "--parquet", "--to", tmp_path],
        ["report", run.path, "--html", tmp_path / "r.html"],
        ["figure", "understanding", run.path, "--out", tmp_path / "f.svg"],
    ):
        found = cli(*arguments)
        assert found.returncode == 0, found.stderr
        said = " ".join((found.stdout + found.stderr).replace("\\", "").split())
        assert words in said, arguments
    assert words in (tmp_path / "r.html").read_text(encoding="utf-8")


def test_an_edited_results_file_is_made_again(run: RunFolder, cli: Cli) -> None:
    path = run.path / "results.json"
    true = collect_results(run)
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    for cell in content["cells"]:
        cell.update(value=0.123, p_holm=0.0001)
    path.write_text(json.dumps(content), encoding="utf-8")
    assert current_results(run)["cells"] == true["cells"]
    assert "12.3" not in cli("table", "bilingual", run.path).stdout


def test_stored_results_serve_where_nothing_changed(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    import lensbench.numbers.results as report

    monkeypatch.setattr(report, "collect_results", lambda folder: pytest.fail("made again"))
    assert current_results(run)["cells"]


def test_a_record_that_was_changed_in_place_is_seen(run: RunFolder) -> None:
    """The number of lines stays as it was."""
    path = run.log_path("score")
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace('"acc":1.0', '"acc":0.0'), encoding="utf-8")
    values = {c["value"] for c in current_results(run)["cells"] if c["metric"] == "acc"}
    assert values == {0.0}


def _records(run: RunFolder) -> list[dict[str, Any]]:
    return [json.loads(line) for line in run.log_path("score").read_text(encoding="utf-8").splitlines()]


def _accuracies(run: RunFolder) -> dict[tuple[str, str, str], float]:
    cells = collect_results(run)["cells"]
    return {(c["task"], c["language"], c["variant"]): c["value"] for c in cells if c["metric"] == "acc"}


def test_a_second_record_of_a_key_changes_nothing(run: RunFolder) -> None:
    """A key is written once; a line that says something else of it is told as damage, one that repeats it is not."""
    before, first = _accuracies(run), _records(run)[0]
    with run.log_path("score").open("a", encoding="utf-8") as stream:
        stream.write(run.log_path("score").read_text(encoding="utf-8").splitlines()[0] + "\n")
        stream.write(json.dumps({**first, "metrics": {**first["metrics"], "acc": 1 - first["metrics"]["acc"]}}) + "\n")
    again = RunFolder.existing(run.path, lenient=True)
    assert _accuracies(again) == before
    (damage,) = [found for found in again.damage if found]
    assert damage.skipped == [len(_records(run))]


@pytest.mark.parametrize("value", [5, -1, 1.01])
def test_an_accuracy_above_one_is_no_record(run: RunFolder, value: float) -> None:
    first, *others = _records(run)
    lines = [{**first, "metrics": {**first["metrics"], "acc": value}}, *others]
    run.log_path("score").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    again = RunFolder.existing(run.path, lenient=True)
    assert all(0 <= accuracy <= 1 for accuracy in _accuracies(again).values())
    assert [found.skipped for found in again.damage if found] == [[1]]
