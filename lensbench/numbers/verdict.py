"""Verdict on a tested difference: better, worse, differs, or not distinguishable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from lensbench.metrics import metric_of
from lensbench.stats import ALPHA

__all__ = ["VERDICTS", "Verdict", "make_verdict", "with_verdict"]

Verdict = Literal["better", "worse", "differs", "not distinguishable"]
VERDICTS: tuple[Verdict, ...] = ("better", "worse", "differs", "not distinguishable")


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
    if higher_is_better is None:
        return "differs"
    return "better" if (low > 0) == higher_is_better else "worse"


def with_verdict(cell: Mapping[str, Any]) -> dict[str, Any]:
    """A cell or average of `results.json` with its verdict; one of a run from before verdicts were written gets it now."""
    if "verdict" in cell:
        return dict(cell)
    found = make_verdict(cell.get("p_holm"), cell.get("delta_low"), cell.get("delta_high"), metric_of(cell).higher_is_better)
    return {**cell, "verdict": found}
