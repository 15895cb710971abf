"""Typed records: what is written is read again, old lines open, damaged ones are named, the documentation is made of them."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lensbench.errors import RunError
from lensbench.records import AnswerRecord, IdentifiedRecord, ItemRecord, RunFolder, ScoreRecord, UngradedRecord, VerdictRecord
from lensbench.records.document import schema_lines
from lensbench.records.log import read_objects
from lensbench.records.reader import RECORDS, NotARecord, as_json, read_record

ROOT = Path(__file__).parents[2]
OLD = ROOT / "tests" / "support" / "old_run"
LINES = [
    (path.parents[1].name, path.stem, number, value)
    for path in sorted(OLD.glob("*/items/*.jsonl"))
    for number, value in read_objects(path)
]
PLACE = {"key": "k", "task": "t", "language": "zh", "profile": "p", "item": "i", "variant": "base", "state": "ok"}
SCORE = {**PLACE, "metrics": {"acc": 1.0}, "loglikelihoods": [-1.0, -2.5]}
VERDICT = {**PLACE, "answer": "a", "turn": 1, "repeat": 0, "judge": "strict:m:1234", "rating": 7.0}
IDENTIFIED = {**PLACE, "identifier": "lid176:8f34", "metrics": {"lf_turn1": 1.0}}
TURN = {"answer": "a", "turn": 1, "label": "zh", "probability": 0.5, "cell": "zh", "lines": ["zh"]}


def test_every_line_of_an_old_run_is_written_as_it_was() -> None:
    assert {stage for _, stage, _, _ in LINES} == set(RECORDS)
    for run, stage, number, value in LINES:
        written = json.loads(json.dumps(as_json(read_record(RECORDS[stage], value))))
        # What a line does not say is not known, and not made up.
        assert {name: part for name, part in written.items() if name in value or part is not None} == value, (run, stage, number)


def test_records_cannot_be_changed() -> None:
    record = read_record(ScoreRecord, SCORE)
    with pytest.raises(dataclasses.FrozenInstanceError):
        record.state = "empty"  # type: ignore[misc]
    assert dataclasses.replace(record, state="truncated").state == "truncated"


def test_a_record_that_was_read_equals_one_that_was_made() -> None:
    made = ScoreRecord(**SCORE)
    read = read_record(ScoreRecord, SCORE)
    assert read == made and read.pick == made.pick == 0
    assert read.tied is None and read.greedy == () and read.states == {}


def test_a_field_of_a_newer_version_is_passed_over() -> None:
    # Also one that has the name of something else: `problem` and `pick` belong to the type.
    newer = {**SCORE, "problem": "text", "pick": 7, "brand_new": [1, 2]}
    assert read_record(ScoreRecord, newer) == read_record(ScoreRecord, SCORE)
    assert read_record(ScoreRecord, newer).pick == 0
    turned = {**IDENTIFIED, "turns": [{**TURN, "brand_new": 1}], "brand_new": 1}
    assert read_record(IdentifiedRecord, turned).turns[0].label == "zh"


def test_the_try_of_a_grading_has_a_name_in_python() -> None:
    record = read_record(VerdictRecord, {**VERDICT, "try": 2})
    assert record.attempt == 2
    assert as_json(record)["try"] == 2 and "attempt" not in as_json(record)
    assert record.grading == ("a", "strict:m:1234", 0)


@pytest.mark.parametrize(
    ("kind", "value", "says"),
    [
        (ScoreRecord, [], "it is a list, an object was expected"),
        (ScoreRecord, {"key": "k"}, "it has no 'task'"),
        (ScoreRecord, {**SCORE, "metrics": {"acc": "1"}}, "its 'metrics' is an object, which does not belong there"),
        (ScoreRecord, {**SCORE, "metrics": {"acc": float("nan")}}, "its 'metrics' is an object, which does not belong there"),
        (ScoreRecord, {**SCORE, "loglikelihoods": [-1.0, True]}, "its 'loglikelihoods' is a list, which does not belong there"),
        (ScoreRecord, {**SCORE, "loglikelihoods": [float("inf")]}, "its 'loglikelihoods' is a list, which does not belong there"),
        (ScoreRecord, {**SCORE, "loglikelihoods": [-1.0, None]}, "its state is ok, and a log-likelihood is missing"),
        (ScoreRecord, {**SCORE, "metrics": {"acc": 1.5}}, "its 'acc' is 1.5, which is no share of 1"),
        (ScoreRecord, {**SCORE, "variant": 7}, "its 'variant' is 7, which does not belong there"),
        (ScoreRecord, {**SCORE, "tokens": [-1]}, "its 'tokens' is a list, which does not belong there"),
        (AnswerRecord, {**PLACE, "text": "x", "turn": 0}, "its turn is 0, the first is 1"),
        (AnswerRecord, {**PLACE, "text": "x", "turn": 2**60}, f"its 'turn' is {2**60}, which does not belong there"),
        (VerdictRecord, {**VERDICT, "rating": None}, "its state is ok, and it has no rating"),
        (UngradedRecord, {**VERDICT, "reason": 5}, "its 'reason' is 5, which does not belong there"),
        (ItemRecord, {**PLACE, "requests": [["a"]]}, "its 'requests' is a list, which does not belong there"),
        (IdentifiedRecord, {**IDENTIFIED, "turns": {}}, "its 'turns' is an object, which does not belong there"),
        (
            IdentifiedRecord,
            {**IDENTIFIED, "turns": [{"answer": "a"}]},
            "its 'turns' has an entry that does not belong there: it has no 'turn'",
        ),
    ],
)
def test_what_is_wrong_is_said(kind: type, value: Any, says: str) -> None:
    with pytest.raises(NotARecord) as caught:
        read_record(kind, value)
    assert caught.value.message == says
    # What was refused once is refused again: a reader remembers what it saw.
    with pytest.raises(NotARecord):
        read_record(kind, value)


def test_a_damaged_line_is_named_with_file_line_and_field(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    with folder.log("score") as log:
        log.append([SCORE, {**SCORE, "key": "other", "state": None}])
    with pytest.raises(RunError, match=r"score\.jsonl, line 2: not an item record \(its 'state' is None, which does not belong"):
        list(folder.records(ScoreRecord))
    lenient = RunFolder(tmp_path, lenient=True)
    assert [record.key for record in lenient.records(ScoreRecord)] == ["k"]
    assert [damage.skipped for damage in lenient.damage] == [[2]]


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.data())
def test_any_value_in_any_field_is_read_or_refused(data: st.DataObject) -> None:
    _, stage, _, value = data.draw(st.sampled_from(LINES))
    name = data.draw(st.sampled_from(sorted(value)))
    changed = {**value, name: data.draw(_JSON)}
    try:
        record = read_record(RECORDS[stage], changed)
    except NotARecord:
        return
    # NaN and infinities are in no field that is read as a number.
    assert read_record(RECORDS[stage], json.loads(json.dumps(as_json(record), allow_nan=stage == "items"))) is not None


def test_the_documentation_is_made_from_the_types() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    made = "\n".join(schema_lines())
    assert made in page, "python -m lensbench.records.document prints what belongs under Records in docs/architecture.md"
