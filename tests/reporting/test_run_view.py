"""The one view of a run: what an older version did not write is told from the rest or said to be missing, never made up."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from conftest import Here
from simulated_run import simulate
from table_runs import small, write_run

from lensbench import api
from lensbench.metrics import LANGUAGES, RATINGS, metric_of
from lensbench.numbers.average import Average
from lensbench.numbers.cell import Cell
from lensbench.numbers.results import collect_results
from lensbench.numbers.run_results import read_results
from lensbench.records import TaskKey
from lensbench.reporting.html.page import render_html_report
from lensbench.reporting.open_runs import open_runs
from lensbench.reporting.run_view import RunView
from lensbench.reporting.text.table import notes, table_lines
from lensbench.stages.results import write_results

OLD = Path(__file__).parents[1] / "support" / "old_run"
ADDED_LATER = ("planned", "failures", "states", "p_holm", "picks", "clusters", "unit", "smallest_detectable", "test", "p_value")

MADE_OTHERWISE = ("low", "high", "delta_low", "delta_high", "smallest_detectable", "p_holm")
"""What this version works out in another way from the same records: intervals, and nothing is adjusted over cells."""


@pytest.mark.parametrize("name", ["lens", "judged"])
def test_an_old_run_opens_with_the_cells_that_it_stored(name: str, tmp_path: Path) -> None:
    stored = json.loads((OLD / name / "results.json").read_text(encoding="utf-8"))
    (view,) = open_runs([Path(shutil.copytree(OLD / name, tmp_path / name))])
    found = json.loads(json.dumps([cell.as_dict() for cell in view.results.cells]))
    assert len(found) == len(stored["cells"]) > 0
    for mine, theirs in zip(found, stored["cells"], strict=True):
        same = {name: value for name, value in theirs.items() if name not in MADE_OTHERWISE}
        assert {name: mine[name] for name in same} == same and {"value", "delta", "n", "p_value"} <= set(same)
    for mine, theirs in zip(view.results.matrices, stored["matrices"], strict=True):
        assert json.loads(json.dumps(mine.as_dict())) == theirs
    assert [note.as_dict() for note in view.results.judging] == stored["judging"]
    assert list(map(str, view.results.tasks)) == list(stored["tasks"])


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    folder = simulate(
        tmp_path / "run", items=6, variants=("base", "lens"), languages=("en", "zh"), tasks=("xcopa", "m_mmlu", "mt_bench")
    )
    content = json.loads(json.dumps(collect_results(folder)))
    results = read_results(content)
    for name in ("cells", "averages", "matrices", "judging", "missing", "damaged"):
        read_back = json.loads(json.dumps([entry.as_dict() for entry in getattr(results, name)]))
        assert read_back == content[name], name
    assert results.cells and results.averages and results.matrices


def oldest() -> dict[str, Any]:
    """Results with only what no run has ever been without."""
    content = small()
    for cell in content["cells"]:
        for name in (*ADDED_LATER, "signature", "source"):
            cell.pop(name, None)
    for name in ("averages", "matrices", "costs", "overlap", "lensbench", "device", "gaps", "failed"):
        content.pop(name)
    return content


def test_the_oldest_results_open_in_every_view(tmp_path: Path, here: Here) -> None:
    run = write_run(tmp_path / "run", oldest())
    for command in (
        ["table", "bilingual", run, "--published"],
        ["report", run, "--html", tmp_path / "report.html"],
        ["figure", "understanding", run, "--out", tmp_path / "figure.svg"],
    ):
        code, said = here(*command)
        assert code == 0 and "Traceback" not in said, f"{command[0]}: {said}"
    (view,) = open_runs([run])
    assert {line.failures for line in table_lines(view.results)} == {"unknown"}
    assert all(cell.failures is None and cell.clusters is None and cell.planned == cell.n for cell in view.results.cells)
    assert not [note for note in notes(view.results) if note.startswith("!")]


@pytest.mark.parametrize(("metric", "basis"), [("rating_turn1", RATINGS), ("lf_turn1", LANGUAGES)])
def test_a_grader_that_was_not_written_is_said_to_be_missing(metric: str, basis: object) -> None:
    told = {"task": "t", "language": "zh", "profile": "p", "variant": "base", "value": 0.5, "n": 2}
    cell = Cell.of({**told, "metric": metric})
    assert metric_of(cell).basis is basis and cell.source == "not recorded"
    assert Cell.of({**told, "metric": "acc"}).source == ""


def test_a_field_of_a_newer_version_is_passed_over() -> None:
    told = {"task": "t", "language": "zh", "profile": "p", "variant": "base", "metric": "acc", "value": 0.5, "n": 2}
    assert not hasattr(Cell.of({**told, "from_later": 1}), "from_later")
    over = {"over": "tasks", "cells": ["t/zh", "s/zh"]}
    assert Average.of({**told, **over, "from_later": 1}).cells == ("t/zh", "s/zh")


def test_overlap_from_before_variants_were_named_is_shown_by_its_method(tmp_path: Path) -> None:
    """The HTML report of such a run broke off."""
    folder = simulate(tmp_path / "run", items=4, variants=("base", "lens"), languages=("en", "zh"), tasks=("open_questions",))
    assert any(entry["sharing"] and "variant" not in entry for entry in folder.read_json("overlap.json"))
    page = render_html_report([RunView.of(folder)])
    assert '<tr><th scope="row">lens</th>' in page and "! 3 of 4" in page


def test_a_view_is_read_only(tmp_path: Path) -> None:
    (view,) = open_runs([write_run(tmp_path / "run", small())])
    with pytest.raises(dataclasses.FrozenInstanceError):
        view.label = "x"  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        view.results.cells[0].value = 1.0  # type: ignore[misc]
    assert view.task("xcopa", "zh") is view.results.tasks[TaskKey("xcopa", "zh")]


def test_missing_records_are_said_where_two_runs_are_compared(tmp_path: Path, here: Here) -> None:
    """The comparison broke off where one of the runs was unfinished."""
    folder = simulate(tmp_path / "run", items=6, variants=("base", "lens"), languages=("en", "zh"), tasks=("xcopa", "mt_bench"))
    write_results(folder)
    for stage in ("score", "answers"):
        path = folder.path / "items" / f"{stage}.jsonl"
        path.write_text("".join(path.read_text(encoding="utf-8").splitlines(keepends=True)[:-2]), encoding="utf-8")
    found = api.compare(folder.path, folder.path, variant="base", with_variant="lens")
    assert [run.finished for run in found.runs] == [False, False]
    assert found.warnings()[0].startswith("! A: items/score.jsonl: 2 records that were there when results were made are gone")
    assert json.loads(json.dumps(found.as_dict()))["run_a"]["missing"][0]["file"] == "score.jsonl"
    code, said = here("calibrate", folder.path)
    assert code == 0 and "2 records that were there when results were made are gone" in said
