"""Cells from hand-made records: means over what has a score, failures counted, pairs formed by item."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lensbench.numbers.run_results import read_results
from lensbench.numbers.summarise import Cell, summarise
from lensbench.records import RunFolder
from lensbench.reporting.text.table import notes, table_lines


def score(variant: str, item: int, right: bool | None, lls: list[float] | None = None) -> dict:
    state = "ok" if right is not None else "not_finite"
    return {
        "key": f"{variant}{item}",
        "item": str(item),
        "variant": variant,
        "task": "xcopa",
        "language": "zh",
        "profile": "p",
        "state": state,
        "metrics": {} if right is None else {"acc": float(right)},
        "loglikelihoods": lls or [-1.0, -2.0],
    }


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    run = RunFolder(tmp_path)
    about = {
        "backbone": "b",
        "backbone_digest": "w" * 64,
        "dtype": "float32",
        "lensbench": "0",
        "variants": {"base": {"digest": "base"}, "lens": {"digest": "d" * 64}},
        "tasks": {
            "xcopa/zh": {
                "profile": "p",
                "version": "1",
                "protocol": "abc",
                "rows": "local:xcopa:1",
                "title": "XCOPA",
                "substitute": None,
                "origin": None,
            }
        },
        "gaps": [],
    }
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


def test_items_that_rounding_could_decide_are_counted_and_said(folder: RunFolder) -> None:
    found = cells(folder, [{**score("base", i, True), "tied": i < 2} for i in range(5)])["base"]
    assert (found.tied, found.value, found.failures) == (2, 1.0, 0), "they count as they fell"
    results = {**folder.read_json("variants.json"), "cells": [json.loads(json.dumps(found.as_dict()))]}
    assert any("2 of 5 in xcopa/zh base" in note and "rounding could decide" in note for note in notes(read_results(results)))


def test_a_cell_without_any_score_has_no_value(folder: RunFolder) -> None:
    found = cells(folder, [score("base", i, None) for i in range(3)])["base"]
    assert (found.value, found.low, found.n, found.failures, found.planned) == (None, None, 3, 3, 5)
    results = {**folder.read_json("variants.json"), "cells": [json.loads(json.dumps(found.as_dict()))]}
    (line,) = table_lines(read_results(results))
    assert (line.value, line.n, line.failures) == ("no score", "3 of 5", "3")


def test_a_habit_beyond_the_letters_is_named(folder: RunFolder) -> None:
    found = cells(folder, [score("base", i, False, [-3.0] * 11 + [-1.0]) for i in range(12)])["base"]
    results = {**folder.read_json("variants.json"), "cells": [json.loads(json.dumps(found.as_dict()))]}
    assert any("base picks option 12 (xcopa/zh)" in note for note in notes(read_results(results)))


def test_a_habit_is_named(folder: RunFolder, tmp_path: Path) -> None:
    records = [score("base", i, i % 2 == 0, [-3.0, -1.0]) for i in range(12)]
    found = cells(folder, records)["base"]
    assert found.picks == (0, 12)
    results = {**folder.read_json("variants.json"), "cells": [found.as_dict()]}
    assert any("base picks B (xcopa/zh)" in note for note in notes(read_results(results)))


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


def verdict(item: str, turn: int, rating: float | None, *, variant: str = "base", repeat: int = 0, attempt: int = 0) -> dict:
    return {
        "key": f"{variant}{item}{turn}{repeat}{attempt}",
        "answer": f"{variant}{item}{turn}",
        "item": item,
        "variant": variant,
        "task": "xcopa",
        "language": "zh",
        "profile": "p",
        "category": "math" if item == "0" else "writing",
        "turn": turn,
        "repeat": repeat,
        "try": attempt,
        "judge": "j:m:1",
        "state": "unparsable" if rating is None else "ok",
        "rating": rating,
    }


@pytest.fixture
def graded(tmp_path: Path, folder: RunFolder) -> RunFolder:
    (tmp_path / "items" / "items.jsonl").unlink()
    with folder.log("items") as log:
        log.append(
            {
                "key": str(i),
                "task": "xcopa",
                "language": "zh",
                "profile": "p",
                "turns": ["a", "b"],
                "doc": {"category": "math" if i == 0 else "writing"},
            }
            for i in range(3)
        )
    return folder


def test_ratings_by_turn_and_category(graded: RunFolder) -> None:
    with graded.log("verdicts") as log:
        log.append([verdict("0", 1, 8), verdict("0", 2, 4), verdict("1", 1, 6), verdict("1", 2, None), verdict("2", 1, None)])
        # A verdict that could not be read, read at the second try.
        log.append([verdict("2", 1, 3, attempt=1)])
    with graded.log("ungraded") as log:
        log.append([{**verdict("2", 2, None), "state": "failed", "reason": "no reply in time"}])
    found = {cell.metric: cell for cell in summarise(graded)}
    # FastChat's mean: over all kept (question, turn) rows.
    assert found["rating"].value == pytest.approx((8 + 4 + 6 + 3) / 4)
    assert (found["rating"].n, found["rating"].failures, found["rating"].planned) == (6, 2, 6)
    assert found["rating"].states == {"ok": 4, "unparsable": 1, "failed": 1}
    assert found["rating_turn1"].value == pytest.approx((8 + 6 + 3) / 3)
    assert found["rating_turn2"].value == 4 and found["rating_turn2"].failures == 2
    assert found["rating_math"].value == 6 and found["rating_math"].planned == 2
    assert "judge:j:m:1" in found["rating"].signature
    results = {**graded.read_json("variants.json"), "cells": [cell.as_dict() for cell in found.values()]}
    assert any("2 of 6 gradings by j have no rating" in note for note in notes(read_results(results)))
    line = next(line for line in table_lines(read_results(results)) if line.metric.startswith("judge's rating, 1 to 10"))
    assert (line.value, line.n, line.failures) == ("5.25", "6", "2")


def test_repeats_are_one_value_and_pairs_are_by_turn(graded: RunFolder) -> None:
    with graded.log("verdicts") as log:
        log.append([verdict("0", 1, 4), verdict("0", 1, 6, repeat=1), verdict("0", 2, 2), verdict("0", 2, 2, repeat=1)])
        log.append([verdict("0", 1, 9, variant="lens"), verdict("1", 1, 1, variant="lens")])
    found = {(cell.variant, cell.metric): cell for cell in summarise(graded)}
    assert found["base", "rating"].value == pytest.approx((5 + 2) / 2)
    assert found["base", "rating"].planned == 12
    # Only turn 1 of question 0 was graded for both.
    assert found["lens", "rating"].delta == pytest.approx(9 - 5)


def test_unlike_judges_never_share_a_column(graded: RunFolder) -> None:
    with graded.log("verdicts") as log:
        log.append([verdict("0", 1, 4), {**verdict("0", 1, 9), "key": "other", "judge": "k:m:2"}])
    values = {cell.source: cell.value for cell in summarise(graded) if cell.metric == "rating"}
    assert values == {"j:m:1": 4, "k:m:2": 9}


def test_an_answer_that_could_not_be_generated_is_a_counted_failure(graded: RunFolder) -> None:
    common = {"variant": "base", "task": "xcopa", "language": "zh", "profile": "p"}
    with graded.log("answers") as log:
        log.append([{**common, "key": "x", "item": "1", "turn": 1, "state": "no_room", "text": ""}])
    with graded.log("verdicts") as log:
        log.append([verdict("0", 1, 4)])
    found = {cell.metric: cell for cell in summarise(graded)}
    assert found["rating"].states == {"ok": 1, "no_answer": 1} and found["rating"].failures == 1
    assert found["rating"].value == 4
