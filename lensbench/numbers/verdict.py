"""Verdict on a difference: better, worse, differs, not distinguishable, or exploratory, which is none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from lensbench.jsonio import JsonObject
from lensbench.stats import ALPHA

__all__ = ["EXPLORATORY", "VERDICTS", "Verdict", "direction", "make_verdict", "with_verdict"]

Verdict = Literal["better", "worse", "differs", "not distinguishable", "exploratory"]
VERDICTS: tuple[Verdict, ...] = ("better", "worse", "differs", "not distinguishable", "exploratory")
EXPLORATORY: Verdict = "exploratory"
"""Of a single cell: it has an interval and an unadjusted p-value, and belongs to no family of tests (docs/statistics.md)."""


def make_verdict(p_holm: float | None, low: float | None, high: float | None, higher_is_better: bool | None) -> Verdict | None:
    """The verdict on a difference.

    Args:
        p_holm: p-value adjusted by Holm.
        low, high: 95% interval of the difference.
        higher_is_better: Direction of the metric.

    Returns:
        None where nothing was tested. "better" or "worse" where p is below 0.05 and the interval lies on one side of 0; "differs"
        there where nothing tells the direction; else "not distinguishable", which does not mean equal.
    """
    if p_holm is None:
        return None
    if p_holm >= ALPHA or low is None or high is None or low <= 0 <= high:
        return "not distinguishable"
    return direction(low > 0, higher_is_better)


def direction(rises: bool, higher_is_better: bool | None) -> Literal["better", "worse", "differs"]:
    """What a difference is, by its sign; "differs" where nothing tells which way is better.

    Args:
        rises: Whether the difference is above 0.
    """
    if higher_is_better is None:
        return "differs"
    return "better" if rises == higher_is_better else "worse"


def with_verdict(cell: Mapping[str, Any]) -> JsonObject:
    """A cell or average of `results.json` with its verdict. An older version knew no endpoints: all it tested is exploratory."""
    if "role" in cell or (cell.get("verdict") in (None, EXPLORATORY) and "verdict" in cell):
        return dict(cell)
    return {**cell, "verdict": EXPLORATORY if cell.get("p_value") is not None or cell.get("p_holm") is not None else None}
