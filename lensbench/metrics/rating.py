"""Metrics of judges: the rating over all graded answers, over those of one turn, and over those of one category."""

from __future__ import annotations

from lensbench.metrics.basis import RATINGS
from lensbench.metrics.metric import Metric
from lensbench.metrics.unit import POINTS

__all__ = ["RATING", "rating_metric", "rating_of_category", "rating_of_turn"]

RATING = "rating"
"""Name of the metric over all graded answers."""
_PREFIX = f"{RATING}_"
_TITLES = {
    RATING: "judge's rating, 1 to 10",
    f"{_PREFIX}turn1": "judge's rating, turn 1",
    f"{_PREFIX}turn2": "judge's rating, turn 2",
}


def rating_of_turn(turn: int) -> str:
    """Name of the metric of one turn, from 1."""
    return f"{_PREFIX}turn{turn}"


def rating_of_category(category: str) -> str:
    """Name of the metric of one category of questions, such as `writing`."""
    return f"{_PREFIX}{category}"


def rating_metric(name: str) -> Metric | None:
    """The metric of this name; None where it is none of a judge."""
    whole = name == RATING
    if not whole and not name.startswith(_PREFIX):
        return None
    return Metric(
        name,
        _TITLES.get(name, name),
        POINTS,
        basis=RATINGS,
        short="judge's rating" if whole else name,
        headline=0 if whole else None,
        in_table=name in _TITLES,
        mark=RATING if whole else f"{RATING}, {name.removeprefix(_PREFIX)}",
        implied=whole,
    )
