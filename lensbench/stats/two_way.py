"""Mean paired differences of several training seeds, with intervals that cover the choice of items and of seeds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lensbench.stats.intervals import Z95
from lensbench.stats.mean_intervals import paired_intervals
from lensbench.stats.spread import spread
from lensbench.stats.student import student_quantile

__all__ = ["TwoWay", "two_way_intervals"]


@dataclass(frozen=True)
class TwoWay:
    """Means over seeds and items, one per setting, `[settings]` each; NaN where a setting has no such number.

    Attributes:
        seeds: Seeds that have a value.
        value: Mean of the seeds' means.
        deviation: Standard deviation of the seeds' means (divisor `seeds - 1`); NaN with one seed.
        least, most: The smallest and the largest of the seeds' means.
        low, high: 95% interval over items and seeds; NaN with one seed, and where the items alone have no interval.
    """

    seeds: NDArray[Any]
    value: NDArray[Any]
    deviation: NDArray[Any]
    least: NDArray[Any]
    most: NDArray[Any]
    low: NDArray[Any]
    high: NDArray[Any]


def two_way_intervals(
    differences: NDArray[Any],
    clusters: NDArray[Any],
    *,
    binary: bool,
    cells: NDArray[Any] | None = None,
    weights: NDArray[Any] | None = None,
) -> TwoWay:
    """Means and intervals for crossed items and seeds: every seed of a setting is scored on the same items.

    The variance of the mean is that of two-way clustering (Cameron, Gelbach and Miller 2011; for crossed random effects Owen
    2007): `items + seeds - both`. `items` is the variance of the items' means over seeds, clustered. `seeds` is the variance of
    the seeds' means, divided by their number. `both` is what item and seed together add; each of the two contains it. The
    variance of the items is taken from each end of `paired_intervals`, so that the interval is as lopsided as that one, and has
    a width where nothing differs. The interval is never narrower than that of the items alone.

    The quantile lies between the normal one and that of t with `seeds - 1` degrees of freedom. It is the mean of two: that of
    Satterthwaite's degrees of freedom, which covers too little with three seeds, and that of Cochran and Cox (1950), which covers
    too much. The tests simulate what it covers (`tests/stats/test_two_way.py`).

    Args:
        differences: `[settings, seeds, items]`, NaN where a seed or the base has no value; a setting with fewer seeds has rows of
            NaN. A seed without a value in one of the cells is left out.
        clusters: `[items]`, label of the cluster each item belongs to.
        binary: Whether the scores are right or wrong, so that a difference is -1, 0 or 1.
        cells: `[items]`, number of the cell each belongs to, from 0; None: all are of one.
        weights: `[cells]`; None: all alike.

    Raises:
        ValueError: no items, different lengths, or a binary difference that is none.
    """
    differences = np.array(differences, dtype=np.float64)
    if differences.ndim != 3 or 0 in differences.shape:
        raise ValueError("needs differences [settings, seeds, items], at least one of each")
    settings, most_seeds, items = differences.shape
    within = {"cells": cells, "weights": weights}
    means = spread(differences.reshape(-1, items), clusters, **within).value.reshape(settings, most_seeds)
    known = ~np.isnan(means)
    differences[~known] = np.nan
    seeds = known.sum(1)
    value = _mean(means)
    of_items = _mean(differences, axis=1)
    whole = binary & (np.isin(of_items, (-1.0, 0.0, 1.0)) | np.isnan(of_items)).all(1)
    alone = paired_intervals(of_items, clusters, binary=whole, **within)
    residuals = differences - of_items[:, None]
    each = spread(residuals.reshape(-1, items), clusters, **within).together.reshape(settings, most_seeds)
    with np.errstate(invalid="ignore", divide="ignore"):
        deviation = np.sqrt(np.nansum((means - value[:, None]) ** 2, axis=1) / np.where(seeds > 1, seeds - 1, np.nan))
        of_seeds = deviation**2 / seeds
        both = np.nansum(each, axis=1) / ((seeds - 1) * seeds)
    below = _half(alone.value - alone.low, of_seeds, both, seeds)
    above = _half(alone.high - alone.value, of_seeds, both, seeds)
    return TwoWay(
        seeds, value, deviation, _ends(means, known, np.inf), _ends(means, known, -np.inf), value - below, value + above
    )


def _half(alone: NDArray[Any], of_seeds: NDArray[Any], both: NDArray[Any], seeds: NDArray[Any]) -> NDArray[Any]:
    """Distance of one end from the value, `[settings]`.

    Args:
        alone: The same distance for the items alone.
        of_seeds, both: Variances of the mean, see `two_way_intervals`.
    """
    variance = np.maximum((alone / Z95) ** 2 - both, 0.0) + of_seeds
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(variance > 0, of_seeds / variance, 0.0)
        satterthwaite = student_quantile(np.where(share > 0, np.maximum(seeds - 1, 1) / share**2, 1e7))
    cochran = share * student_quantile(np.maximum(seeds - 1, 1)) + (1 - share) * Z95
    return np.maximum((satterthwaite + cochran) / 2 * np.sqrt(variance), alone)


def _mean(values: NDArray[Any], axis: int = 1) -> NDArray[Any]:
    """Mean of what is known; NaN where nothing is."""
    known = (~np.isnan(values)).sum(axis)
    return np.asarray(np.where(known > 0, np.nansum(values, axis=axis) / np.maximum(known, 1), np.nan))


def _ends(means: NDArray[Any], known: NDArray[Any], other: float) -> NDArray[Any]:
    """The smallest of the known means where `other` is infinite, the largest where it is minus infinite."""
    found = np.where(known, means, other)
    end = found.min(1) if other > 0 else found.max(1)
    return np.asarray(np.where(known.any(1), end, np.nan))
