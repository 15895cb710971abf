"""Run folders of version 0.1.0, from before records had types, still open: every view, with the same cells."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from conftest import Here

from lensbench.frames import load
from lensbench.numbers.calibrate import calibrate
from lensbench.numbers.compare import compare
from lensbench.numbers.results import collect_results
from lensbench.records import RunFolder
from lensbench.stages.results import write_results

OLD = Path(__file__).parents[1] / "support" / "old_run"
RUNS = ("lens", "judged")


@pytest.fixture(params=RUNS)
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return Path(shutil.copytree(OLD / request.param, tmp_path / request.param))


@pytest.fixture
def judged(tmp_path: Path) -> Path:
    return Path(shutil.copytree(OLD / "judged", tmp_path / "judged"))


def stored(run: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((OLD / run.name / "results.json").read_text(encoding="utf-8"))
    return content


def test_the_records_give_the_same_cells(old: Path) -> None:
    before, now = stored(old), json.loads(json.dumps(collect_results(RunFolder.existing(old))))
    for name in ("cells", "averages"):
        assert before[name] or name == "averages"
        mine = {_place(entry): entry for entry in now[name]}
        for theirs in before[name]:
            found = mine[_place(theirs)]
            # Intervals are made in another way since, verdicts are on endpoints, and single cells are not adjusted.
            made_anew = {"low", "high", "delta_low", "delta_high", "p_holm", "verdict", "smallest_detectable"}
            assert {field: found[field] for field in theirs.keys() - made_anew} == {
                field: theirs[field] for field in theirs.keys() - made_anew
            }
            for low, value, high in (("low", "value", "high"), ("delta_low", "delta", "delta_high")):
                if found[low] is not None:
                    assert found[low] <= found[value] <= found[high]
    for name in ("matrices", "judging", "unnamed", "missing", "made_from", "costs"):
        assert now[name] == before[name], name


def _place(entry: dict[str, Any]) -> tuple[Any, ...]:
    same = ("task", "language", "variant", "metric", "source")
    return (*(entry[name] for name in same), tuple(entry["cells"]) if "cells" in entry else None)


def test_every_view_opens(old: Path, tmp_path: Path, here: Here) -> None:
    judged = old.name == "judged"
    for command in (
        ["show", old],
        ["show", old, "--all", "--json"],
        ["table", "bilingual", old],
        ["report", old, "--html", tmp_path / "report.html"],
        ["compare", old, old, "--variant", "base", "--with", "lens"],
        *([["calibrate", old]] if judged else [["table", "cost", old]]),
    ):
        code, said = here(*command)
        assert code == 0, f"{command[0]}: {said}"
        assert "Traceback" not in said
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert ("MT-Bench" if judged else "XCOPA") in page


def test_frames_have_its_cells_and_items(old: Path) -> None:
    run = load(old)
    cells = stored(old)["cells"]
    assert list(run.cells["signature"]) == [cell["signature"] for cell in cells]
    assert [None if value != value else value for value in run.cells["value"]] == [cell["value"] for cell in cells]
    lines = {path.stem: path.read_text(encoding="utf-8").count("\n") for path in (old / "items").glob("*.jsonl")}
    assert len(run.items) == lines.get("score", 0) + lines["answers"]


def test_comparing_it_with_itself_gives_its_differences(old: Path) -> None:
    folder = RunFolder.existing(old)
    cells = {
        (c["task"], c["language"], c["metric"]): c["delta"]
        for c in stored(old)["cells"]
        if c["variant"] == "lens" and c["p_value"]
    }
    found = compare(folder, folder, "base", "lens")
    deltas = {(c.task, c.language, c.metric): c.delta for c in found.cells}
    assert cells and {place: deltas[place] for place in cells} == pytest.approx(cells)


def test_ratings_are_calibrated_by_the_verdicts_that_count(judged: Path) -> None:
    found = calibrate(RunFolder.existing(judged))
    # Of 16 answers one was never rated within the scale and one was refused; one was rated at the second try.
    assert {(slope.language, slope.answers) for slope in found.length} == {("en", 6), ("zh", 8)}
    assert found.missing == () and found.unidentified == 0


def test_the_report_shows_the_one_verdict_that_counts(judged: Path) -> None:
    write_results(RunFolder.existing(judged))
    report = (judged / "report.md").read_text(encoding="utf-8")
    shown = [line for line in report.splitlines() if line.startswith(("base (", "lens ("))]
    # The first answer's first verdict could not be read; its second try gave 1. Another had no readable one in two tries.
    assert shown[0].endswith("strict: 1)") and "unparsable" not in report
    assert sum("strict:" in line for line in shown) == len(shown) == 16
    assert sum(line.count("strict:") for line in shown) == 16
    assert [line.partition("strict: ")[2] for line in shown].count("out of range)") == 1
    assert [line.partition("strict: ")[2] for line in shown].count("rejected)") == 1


def test_older_lines_lack_what_later_versions_wrote(judged: Path) -> None:
    """Fields that were added one by one: each may be missing, and then nothing is made up."""
    path = judged / "items" / "answers.jsonl"
    kept = ("key", "item", "variant", "task", "language", "profile", "turn", "state", "text")
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    path.write_text("".join(json.dumps({name: line[name] for name in kept}) + "\n" for line in lines), encoding="utf-8")
    items = load(judged).items
    assert items["tokens"].isna().all() and items["finish"].isna().all() and len(items) == 16
    found = calibrate(RunFolder.existing(judged))
    assert {(slope.answers, slope.without_answer) for slope in found.length} == {(0, 6), (0, 8)}
