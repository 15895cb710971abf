"""The rule of a choice, and the division of source items: from the documented recipe, and by properties."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from lensbench.errors import UsageError
from lensbench.numbers.picking.rule import PickRule, parse_pick
from lensbench.numbers.picking.sides import Sides, is_development, sides_of
from lensbench.records import ItemRecord


def item(task: str, language: str, number: int, source: str | None = None, split: str | None = None) -> ItemRecord:
    return ItemRecord(
        key=f"{task}/{language}/{number}/{split}",
        task=task,
        language=language,
        profile="p",
        doc_id=number,
        source=source,
        split=split,
    )


def items(tasks: Sequence[str], languages: Sequence[str], n: int, *, named: bool = True) -> list[ItemRecord]:
    return [item(t, c, i, f"{t}/test/{i}" if named else None) for t in tasks for c in languages for i in range(n)]


def test_rules_as_a_user_writes_them() -> None:
    assert parse_pick("") == PickRule(0.3, False, None) and parse_pick("").text == "share=0.3"
    assert parse_pick("share=.5 , endpoint=language") == PickRule(0.5, False, "language")
    assert parse_pick("validation,share=0.2").text == "validation,share=0.2"


@given(
    st.floats(0.001, 0.999).map(lambda share: round(share, 3)),
    st.booleans(),
    st.sampled_from([None, "accuracy", "language", "rating"]),
)
def test_a_rule_is_read_as_it_was_written(share: float, validation: bool, endpoint: str | None) -> None:
    rule = PickRule(share, validation, endpoint)
    assert parse_pick(rule.text) == rule


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("share=0", "pick=share=0: a number between 0 and 1 was expected"),
        ("share=1", "a number between 0 and 1"),
        ("share=nan", "a number between 0 and 1"),
        ("share=30%", "a number between 0 and 1"),
        ("share", "'share' is no part of a rule"),
        ("shar=0.3", "Did you mean 'share'?"),
        ("validtion", "Did you mean 'validation'?"),
        ("validation=yes", "'validation=yes' is no part of a rule"),
        ("endpoint=acuracy", "Did you mean 'accuracy'?"),
        ("endpoint=", "unknown endpoint ''"),
        ("share=0.3,share=0.4", "gives 'share' twice"),
        ("layers-smollm2", "A FILE to run stands before pick"),
    ],
)
def test_other_rules_are_refused(text: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_pick(text)
    assert says in str(caught.value)


def test_the_side_of_a_source_item_is_the_documented_hash() -> None:
    """docs/experiments.md: the first 8 bytes of SHA-256 over the salt and the name, as a number below share x 2^64."""
    for number in range(200):
        name = f"source xcopa/test/{number}"
        digest = hashlib.sha256(b"lensbench development items 1\n" + name.encode()).hexdigest()
        assert is_development(name, 0.3) == (int(digest[:16], 16) / 2**64 < 0.3)


def test_the_share_is_the_share() -> None:
    for share in (0.1, 0.3, 0.5):
        chosen = sum(is_development(f"source x/{number}", share) for number in range(10_000))
        assert stats.binomtest(chosen, 10_000, share).pvalue > 0.001


@given(st.text(), st.floats(0.01, 0.98), st.floats(0.001, 0.01))
def test_a_larger_share_keeps_the_development_items(name: str, share: float, more: float) -> None:
    assert not is_development(name, share) or is_development(name, share + more)


def test_translations_are_on_one_side_and_nothing_is_on_both() -> None:
    for named in (True, False):
        asked = items(["xcopa", "m_mmlu"], ["en", "zh", "sw"], 100, named=named)
        sides = sides_of(asked, PickRule())
        assert not sides.development & sides.test and sides.development | sides.test == {one.key for one in asked}
        for task in ("xcopa", "m_mmlu"):
            for number in range(100):
                own = {f"{task}/{code}/{number}/None" in sides.development for code in ("en", "zh", "sw")}
                assert len(own) == 1
        assert all(one.development + one.test == 100 and 15 < one.development < 45 for one in sides.counts)


@given(st.integers(1, 60), st.integers(0, 60), st.sets(st.sampled_from(["zh", "ja", "sw"]), min_size=1))
def test_more_items_languages_or_tasks_move_nobody(few: int, more: int, languages: set[str]) -> None:
    def development(tasks: Sequence[str], codes: Sequence[str], n: int) -> Sides:
        return sides_of(items(tasks, codes, n), PickRule())

    small = development(["xcopa"], ["en"], few)
    large = development(["xcopa", "xwinograd"], ["en", *sorted(languages)], few + more)
    assert small.development <= large.development and small.test <= large.test


def test_a_validation_split_takes_the_place_of_the_share() -> None:
    asked = [*items(["xcopa"], ["en", "zh"], 50), *items(["m_mmlu"], ["en", "zh"], 50)]
    own = [
        item("xcopa", code, number, f"xcopa/validation/{number}", "validation") for code in ("en", "zh") for number in range(10)
    ]
    sides = sides_of([*asked, *own], PickRule(validation=True))
    xcopa = {one.key for one in asked if one.task == "xcopa"}
    assert {one.key for one in own} <= sides.development and xcopa <= sides.test
    counts = {(one.task, one.language): (one.development, one.test, one.split) for one in sides.counts}
    assert counts["xcopa", "zh"] == (10, 50, "validation") and counts["m_mmlu", "zh"][2] is None
    assert 0 < counts["m_mmlu", "zh"][0] < 50
