"""A metric says its unit, its words and its rank; one that nobody knows is a metric with what a file says of it."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest

from lensbench.metrics import (
    LANGUAGES,
    LENIENT,
    RATINGS,
    SCORES,
    UNITS,
    Metric,
    fidelity_name,
    get_metric,
    gold_choice,
    likeliest,
    metric_as,
    metric_in,
    metrics,
    split_fidelity_name,
    turn_part,
)
from lensbench.numbers.cell import Cell
from lensbench.numbers.headline import headline_of, table_cells
from lensbench.numbers.verdict import make_verdict, with_verdict


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["acc"], "acc"),
        (["acc_norm", "acc"], "acc"),
        (["exact_match:strict", "exact_match:flexible"], "exact_match:strict"),
        (["toxicity"], "toxicity"),
        (["lf_turn1", "lf_turn1_lenient"], "lf_turn1"),
        (["lf_turn1", "lf_turn2", "lf_response", "lf_question_concat"], "lf_response"),
        (["lf_turn2", "lf_question_all"], None),
        (["rating_turn1", "rating", "rating_writing"], "rating"),
        (["rating_writing"], None),
        ([], None),
    ],
)
def test_one_metric_is_the_tasks_own_number(names: list[str], expected: str | None) -> None:
    found = headline_of(get_metric(name) for name in names)
    assert (found.name if found else None) == expected


def test_the_one_table_shows_the_response_in_place_of_the_first_turn() -> None:
    def cell(metric: str, language: str = "zh", source: str = "lid176:1") -> Cell:
        place = {"task": "mt_bench", "language": language, "profile": "mt-bench", "variant": "base"}
        return Cell.of({**place, "metric": metric, "source": source, "value": 0.5, "n": 2})

    both = [cell("lf_turn1"), cell("lf_turn2"), cell("lf_response"), cell("lf_response_lenient"), cell("lf_turn1", "sw")]
    shown = [(c.metric, c.language) for c in table_cells([*both, cell("rating", source="j:m:1"), cell("odd", source="")])]
    assert shown == [("lf_response", "zh"), ("lf_turn1", "sw"), ("rating", "zh"), ("odd", "zh")]


@pytest.mark.parametrize(
    ("unit", "value", "text", "signed"),
    [("share", 0.5, "50.0", "+50.0"), ("rating", 6.126, "6.13", "+6.13"), ("number", -0.25, "-0.250", "-0.250")],
)
def test_a_unit_prints_its_numbers(unit: str, value: float, text: str, signed: str) -> None:
    assert UNITS[unit].text(value) == text
    assert UNITS[unit].text(value, sign=True) == signed


def test_a_name_of_a_fidelity_metric_is_read_as_it_is_made() -> None:
    for part in ("turn1", "turn7", "response", "question_concat", "question_all"):
        for reading in ("", "lenient", "strip_code"):
            assert split_fidelity_name(fidelity_name(part, reading)) == (part, reading)
    assert fidelity_name(turn_part(2), LENIENT) == "lf_turn2_lenient"
    assert split_fidelity_name("acc") is None


def test_a_file_says_more_than_a_name() -> None:
    told = metric_in({"metric": "acc", "unit": "number", "higher_is_better": None, "source": ""})
    assert (told.unit.name, told.higher_is_better, told.title) == ("number", None, "accuracy")
    unknown = metric_in({"metric": "hats", "unit": "share", "higher_is_better": False, "source": ""})
    assert (unknown.unit.name, unknown.higher_is_better, unknown.title, unknown.basis) == ("share", False, "hats", SCORES)
    later = metric_in({"metric": "hats", "unit": "parsecs", "source": ""})
    assert later.unit.text(1.5) == "1.500"


def test_a_cell_of_an_older_version_has_it_from_the_name() -> None:
    assert metric_in({"metric": "rating_turn1"}).unit.name == "rating"
    assert metric_in({"metric": "lf_turn1"}).basis is LANGUAGES
    # Before units were written there were only shares and ratings.
    assert metric_in({"metric": "hats"}).unit.name == "share"
    assert metric_in({"metric": "perplexity"}).higher_is_better is False


def test_a_score_that_is_called_as_a_rating_is_none() -> None:
    assert metric_as("rating_of_hats", SCORES).unit.name == "number"
    assert metric_as("rating_of_hats", SCORES).higher_is_better is None
    assert metric_as("rating_of_hats", RATINGS).unit.name == "rating"
    assert metric_in({"metric": "hats", "unit": "rating", "source": "j:m:1"}).basis is RATINGS


def test_likeliest_is_the_first_of_equals_and_needs_all() -> None:
    assert likeliest([-2.0, -1.0, -1.0]) == 1
    assert likeliest([-1.0, None]) is None
    assert likeliest([]) is None
    draw = random.Random(3)
    for _ in range(50):
        values = [draw.choice([-1.0, -2.5, -3.0, draw.gauss(0, 1)]) for _ in range(draw.randint(1, 5))]
        assert likeliest(values) == sorted(range(len(values)), key=lambda i: (-values[i], i))[0]


def test_gold_choice() -> None:
    assert gold_choice(" B", ["A", "B"]) == 1
    assert gold_choice("1", ["it rains", "it snows"]) == 1
    assert gold_choice("B", ["B", " B"]) is None
    assert gold_choice("", ["A", "B"]) is None
    assert gold_choice("2", ["x", "y"]) is None


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((None, 0.1, 0.2, True), None),
        ((0.01, 0.1, 0.2, True), "better"),
        ((0.01, 0.1, 0.2, False), "worse"),
        ((0.01, -0.2, -0.1, True), "worse"),
        ((0.01, -0.2, -0.1, False), "better"),
        ((0.01, -0.2, -0.1, None), "differs"),
        ((0.05, 0.1, 0.2, True), "not distinguishable"),
        ((0.01, 0.0, 0.2, True), "not distinguishable"),
        ((0.01, -0.2, 0.0, True), "not distinguishable"),
        ((0.01, None, None, True), "not distinguishable"),
    ],
)
def test_a_verdict(arguments: tuple[Any, ...], expected: str | None) -> None:
    assert make_verdict(*arguments) == expected


def test_what_an_older_version_tested_is_exploratory() -> None:
    """It knew no endpoints, so nothing that it called better belongs to their family."""
    old = {"metric": "acc", "p_holm": 0.01, "delta_low": 0.1, "delta_high": 0.2}
    assert with_verdict(old) == {**old, "verdict": "exploratory"}
    assert with_verdict({**old, "verdict": "better"})["verdict"] == "exploratory"
    assert with_verdict({**old, "verdict": None})["verdict"] is None
    assert with_verdict({"metric": "acc", "p_holm": None})["verdict"] is None
    endpoint = {**old, "role": "endpoint", "verdict": "better"}
    assert with_verdict(endpoint) == endpoint


def test_every_listed_metric_says_what_a_view_needs() -> None:
    for name, metric in metrics().items():
        assert isinstance(metric, Metric), name
        assert metric.name == name and metric.title and metric.quantity
        assert metric == get_metric(name)
        assert math.isfinite(metric.unit.highest) or metric.unit.name == "number"
