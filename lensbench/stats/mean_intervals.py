"""95% intervals of means and of paired differences that hold for few items, few differing ones, and clusters."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lensbench.stats.bootstrap import Intervals
from lensbench.stats.intervals import Z95, wilson_ends
from lensbench.stats.paired_share import tango_ends
from lensbench.stats.spread import Spread, spread
from lensbench.stats.student import student_quantile

__all__ = ["level_intervals", "paired_intervals"]

_ALIKE = 0.25
"""Differing clusters, all of whose items differ alike, that are added before the effective number of items is estimated. Fewer
let coverage fall below 93% where three or four clusters differ in one direction; more widen intervals for nothing."""
_UNSEEN = 0.5
"""Clusters with the largest change that was seen that are added to graded scores, for those larger that were not seen."""


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
    low[at], high[at] = (_difference_of_shares if paired else _share)(_only(found, at))
    at = known & ~binary
    if paired:
        low[at], high[at] = _graded(_only(found, at))
    elif at.any():
        # What a level gains and drops is counted from its middle value: most ratings may be equal, as most differences may be 0.
        middle = np.nanmedian(values[at], axis=1)
        low[at], high[at] = middle + _graded(spread(values[at] - middle[:, None], clusters, cells, weights))
    return Intervals(found.value, low, high, found.clusters)


def _only(found: Spread, at: NDArray[Any]) -> Spread:
    return Spread(**{field.name: getattr(found, field.name)[at] for field in fields(Spread)})


def _difference_of_shares(found: Spread) -> NDArray[Any]:
    """Tango's interval of the effective number of items."""
    n = _effective(found)
    wins, losses = np.maximum(found.squares + found.value, 0.0) / 2, np.maximum(found.squares - found.value, 0.0) / 2
    low, high = tango_ends(n * wins, n * losses, n)
    return np.stack([np.minimum(low, found.value), np.maximum(high, found.value)])


def _share(found: Spread) -> NDArray[Any]:
    """Wilson's interval of the effective number of items."""
    return np.stack(wilson_ends(np.clip(found.value, 0.0, 1.0), _effective(found)))


def _effective(found: Spread) -> NDArray[Any]:
    """How many independent items of one cell would give the mean the variance that it has.

    Items divided by the design effect (Kish 1965; with a t quantile for the degrees of freedom as in Korn and Graubard 1998). The
    variance is never taken to be smaller than that of independent items, and the number is at most that of the items. Where
    little or nothing differs it tends to `kish`.
    """
    unit = np.maximum(found.squares - found.value**2, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        design = np.where(found.apart > 0, found.borrowed / found.apart, 1.0)
        variance = np.fmax(found.apart, found.together) * design
        added = _ALIKE / found.kish
        n = np.minimum((unit + added) / (variance + added / found.kish), found.items)
    n = np.where(np.isnan(found.together), np.minimum(n, found.kish), n)
    return np.where(found.plain, found.items, n * (Z95 / student_quantile(found.freedom)) ** 2)


def _graded(found: Spread) -> NDArray[Any]:
    """The wider of two at each end: the t interval with a clustered error, and Tango's interval in units of a typical change.

    If all changes had one size, Tango's interval times that size would be the score interval. The unit is the size that gives the
    sum of squared changes, `sum(change^2) / sum(|change|)`. So this interval is as lopsided as the changes; the t interval is
    symmetrical.
    """
    t = student_quantile(found.freedom)
    with np.errstate(invalid="ignore", divide="ignore"):
        varies = found.together > 1e-12 * found.power
        half = t * np.sqrt(found.together)
        sizes = found.gains + found.drops
        unit = np.where(varies, (found.power + _UNSEEN * found.largest) / sizes, 1.0)
        wins, losses = np.where(varies, found.gains / unit, 0.0), np.where(varies, found.drops / unit, 0.0)
    n = np.maximum(found.kish, wins + losses)
    low, high = tango_ends(wins, losses, n, z=t) * (unit * n)
    return np.where(varies, [np.minimum(low, found.value - half), np.maximum(high, found.value + half)], np.nan)
