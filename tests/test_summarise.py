"""Cells from hand-made records: means over what has a score, failures counted, pairs formed by item."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lensbench.pipeline.summarise import Cell, summarise
from lensbench.reporting.table import notes, table_lines
from lensbench.store import RunFolder


def score(variant: str, item: int, right: bool | None, lls: list[float] | None = None) -> dict:
    state = "ok" if right is not None else "not_finite"
    return {
        "key": f"{variant}{item}", "item": str(item), "variant": variant, "task": "xcopa", "language": "zh", "profile": "p",
        "state": state, "metrics": {} if right is None else {"acc": float(right)}, "loglikelihoods": lls or [-1.0, -2.0],
    }  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    run = RunFolder(tmp_path)
    about = {
        "backbone_digest": "w" * 64, "dtype": "float32", "lensbench": "0",
        "variants": {"base": {"digest": "base"}, "lens": {"digest": "d" * 64}},
        "tasks": {"xcopa/zh": {"version": "1", "protocol": "abc", "rows": "local:xcopa:1", "title": "XCOPA", "substitute": None,
                               "origin": None}},
        "gaps": [],
    }  # fmt: skip
    run.write_json("variants.json", about)
    with run.log("items") as log:
        log.append({"key": str(i), "task": "xcopa", "language": "zh", "profile": "p"} for i in range(5))
    return run


def cells(folder: RunFolder, records: list[dict]) -> dict[str, Cell]:
    with folder.log("score") as log:
        log.append(records)
    return {cell.variant: cell for cell in summarise(folder)}


def test_values_failures_and_pairs(folder: RunFolder) -> None:
    base = [score("base", i, right) for i, right in enumerate([True, False, False, True, None])]
    lens = [score("lens", i, right) for i, right in enumerate([True, True, False, None, True])]
    found = cells(folder, base + lens)
    assert (found["base"].value, found["base"].n, found["base"].failures) == (0.5, 5, 1)
    assert (found["lens"].value, found["lens"].n, found["lens"].failures) == (0.75, 5, 1)
    # Both have a score for items 0, 1 and 2 only: +0, +1, +0.
    assert found["lens"].delta == pytest.approx(1 / 3)
    assert found["base"].delta is None
    assert found["lens"].states == {"ok": 4, "not_finite": 1}


def test_a_cell_without_any_score_has_no_value(folder: RunFolder) -> None:
    found = cells(folder, [score("base", i, None) for i in range(3)])["base"]
    assert (found.value, found.low, found.n, found.failures, found.planned) == (None, None, 3, 3, 5)
    results = {**folder.read_json("variants.json"), "cells": [json.loads(json.dumps(found.as_dict()))]}
    (line,) = table_lines(results)
    assert (line.value, line.n, line.failures) == ("no score", "3 of 5", "3")


def test_a_habit_is_named(folder: RunFolder, tmp_path: Path) -> None:
    records = [score("base", i, i % 2 == 0, [-3.0, -1.0]) for i in range(12)]
    found = cells(folder, records)["base"]
    assert found.picks == (0, 12)
    results = {**folder.read_json("variants.json"), "cells": [found.as_dict()]}
    assert any("base picks B (xcopa/zh)" in note for note in notes(results))


def test_an_answer_in_no_language_is_unfaithful_and_counted(folder: RunFolder) -> None:
    about = folder.read_json("variants.json")
    about["tasks"]["multiq/zh"] = about["tasks"]["xcopa/zh"]
    folder.write_json("variants.json", about)
    common = {"task": "multiq", "language": "zh", "profile": "open", "variant": "base", "identifier": "lid176:x"}
    with folder.log("identified") as log:
        log.append(
            [
                {**common, "key": "a", "item": "a", "state": "ok", "metrics": {"lf_turn1": 1.0}},
                {**common, "key": "b", "item": "b", "state": "empty", "metrics": {"lf_turn1": 0.0}},
            ]
        )
    (cell,) = summarise(folder)
    assert (cell.value, cell.n, cell.failures, cell.states) == (0.5, 2, 0, {"ok": 1, "empty": 1})
    assert "lid:lid176:x" in cell.signature
