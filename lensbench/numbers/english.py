"""Whether English was kept: the loss that an interval still allows, against a margin that is set beforehand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from lensbench.metrics import LANGUAGES, RATINGS, SCORES, Metric, metric_of
from lensbench.numbers.average import Average, Retention

__all__ = ["DEFAULT_MARGINS", "margin_of", "retention", "with_retention"]

DEFAULT_MARGINS: Mapping[str, float] = {basis.asks: basis.margin for basis in (SCORES, LANGUAGES, RATINGS)}
"""Question of the endpoint -> loss that counts as none, in the unit of the value."""


def margin_of(metric: Metric, margins: Mapping[str, float]) -> float | None:
    """The margin of a metric; None where its values tell no unit that a margin could be in."""
    known = metric.basis is RATINGS or metric.unit.proportion
    return margins.get(metric.basis.asks) if known else None


def retention(
    low: float | None, high: float | None, higher_is_better: bool | None, margin: float | None
) -> tuple[float | None, Retention | None]:
    """The largest plausible loss, and whether it is below the margin.

    The interval is that of the difference alone: the answer does not depend on how much else a run asks. With a 95% interval, at
    most 2.5% of variants that lose as much as the margin are called kept, and at most 2.5% of those that lose nothing worse.

    Args:
        low, high: 95% interval of the difference to `base`.
        margin: Loss that counts as none, above 0; None: no loss is ruled out.

    Returns:
        The end of the interval on the side of a loss, with the sign of a difference; and the answer. Both None where there is no
        interval or nothing tells which way is better.
    """
    if low is None or high is None or higher_is_better is None:
        return None, None
    at_worst = low if higher_is_better else high
    loss = -low if higher_is_better else high
    least = -high if higher_is_better else low
    if least > 0:
        return at_worst, "worse"
    return at_worst, "shown" if margin is not None and loss < margin else "not shown"


def with_retention(average: Average, margins: Mapping[str, float]) -> Average:
    """An average of English with its answer; any other as it is."""
    if average.role != "english" or average.delta is None:
        return average
    margin = margin_of(metric_of(average), margins)
    at_worst, found = retention(average.delta_low, average.delta_high, average.higher_is_better, margin)
    return replace(average, margin=margin, at_worst=at_worst, retention=found)
