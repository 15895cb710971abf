"""95% intervals of means and of paired differences that hold for few items, few differing ones, and clusters."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lensbench.stats.bootstrap import Intervals
from lensbench.stats.intervals import wilson_ends
from lensbench.stats.paired_share import tango_ends
from lensbench.stats.spread import Spread, spread
from lensbench.stats.student import student_quantile

__all__ = ["level_intervals", "paired_intervals"]

_PRIOR = 1.0
"""Differing clusters, all of whose items differ alike, that are added before the effective number of items is estimated."""


def paired_intervals(
    differences: NDArray[Any],
    clusters: NDArray[Any],
    *,
    binary: bool | NDArray[Any],
    cells: NDArray[Any] | None = None,
    weights: NDArray[Any] | None = None,
) -> Intervals:
    """Mean paired differences with 95% intervals; over several cells, the weighted mean of the cells' means.

    Args:
        differences: `[columns, items]`, NaN where one of the two has no value.
        clusters: `[items]`, label of the cluster each item belongs to.
        binary: Whether the two scores are right or wrong, so that a difference is -1, 0 or 1; or `[columns]` of that.
        cells: `[items]`, number of the cell each belongs to, from 0; None: all are of one.
        weights: `[cells]`; None: all alike.

    Raises:
        ValueError: no items, different lengths, or a binary column with another difference.
    """
    return _intervals(differences, clusters, cells, weights, binary, paired=True)


def level_intervals(
    values: NDArray[Any],
    clusters: NDArray[Any],
    *,
    binary: bool | NDArray[Any],
    cells: NDArray[Any] | None = None,
    weights: NDArray[Any] | None = None,
) -> Intervals:
    """Means with 95% intervals; over several cells, the weighted mean of the cells' means.

    Args:
        values: `[columns, items]`, NaN where an item has no value.
        binary: Whether the values are 0 or 1; or `[columns]` of that.
        clusters, cells, weights: See `paired_intervals`.

    Raises:
        ValueError: no items, different lengths, or a binary column with another value.
    """
    return _intervals(values, clusters, cells, weights, binary, paired=False)


def _intervals(
    values: NDArray[Any],
    clusters: NDArray[Any],
    cells: NDArray[Any] | None,
    weights: NDArray[Any] | None,
    binary: bool | NDArray[Any],
    *,
    paired: bool,
) -> Intervals:
    values = np.asarray(values, dtype=np.float64)
    found = spread(values, clusters, cells, weights)
    binary = np.broadcast_to(np.asarray(binary, dtype=bool), found.value.shape)
    allowed = (-1.0, 0.0, 1.0) if paired else (0.0, 1.0)
    odd = ~(np.isin(values[binary], allowed) | np.isnan(values[binary]))
    if odd.any():
        what = "differences of right or wrong scores are -1, 0 or 1" if paired else "right or wrong scores are 0 or 1"
        raise ValueError(f"{what}; found {values[binary][odd][0]:g}")
    low, high = np.full((2, len(binary)), np.nan)
    known = (found.clusters >= 2) & ~np.isnan(found.value)
    at = known & binary
    low[at], high[at] = (_difference_of_shares if paired else _share)(found, at)
    at = known & ~binary
    low[at], high[at] = _graded(found, at)
    return Intervals(found.value, low, high, found.clusters)


def _difference_of_shares(found: Spread, at: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    value, squares = found.value[at], found.squares[at]
    n = _effective(found, at)
    wins, losses = np.maximum(squares + value, 0.0) / 2, np.maximum(squares - value, 0.0) / 2
    low, high = tango_ends(n * wins, n * losses, n)
    return np.minimum(low, value), np.maximum(high, value)


def _share(found: Spread, at: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    return wilson_ends(np.clip(found.value[at], 0.0, 1.0), _effective(found, at))


def _effective(found: Spread, at: NDArray[Any]) -> NDArray[Any]:
    """How many independent items of one cell would give the mean the variance that it has."""
    kish, items = found.kish[at], found.items[at]
    unit = np.maximum(found.squares[at] - found.value[at] ** 2, 0.0)
    apart, together = found.apart[at], np.nan_to_num(found.together[at], nan=0.0)
    variance = np.where(found.single[at], apart, np.maximum(apart, together))
    added = _PRIOR / kish
    return np.minimum((unit + added) / (variance + added / kish), items)


def _graded(found: Spread, at: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    value, variance = found.value[at], found.together[at]
    with np.errstate(invalid="ignore", divide="ignore"):
        half = np.where(
            variance > 0, student_quantile(np.maximum(np.nan_to_num(found.freedom[at], nan=1.0), 1.0)) * np.sqrt(variance), np.nan
        )
    return value - half, value + half
