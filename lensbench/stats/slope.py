"""A straight line through points that come in clusters."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lensbench.stats.intervals import Interval

__all__ = ["clustered_slope"]


def clustered_slope(
    x: NDArray[Any], y: NDArray[Any], clusters: NDArray[Any], *, draws: int = 2000, seed: int = 12345
) -> Interval | None:
    """Least-squares slope of y on x, with a percentile bootstrap interval that resamples whole clusters.

    Args:
        x, y: `[points]`.
        clusters: `[points]`, number of the cluster each point belongs to.
        draws: Bootstrap samples; those in which x does not vary have no slope and are left out.
        seed: Seed of the resampling.

    Returns:
        None if x does not vary or there are fewer than three clusters.
    """
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    _, place = np.unique(np.asarray(clusters), return_inverse=True)
    size = int(place.max()) + 1 if len(place) else 0
    if size < 3 or np.ptp(x) == 0:
        return None
    # Five sums per cluster are all a slope needs; about the means, so that nothing large cancels.
    dx, dy = x - x.mean(), y - y.mean()
    sums = np.stack([np.bincount(place, weights=w, minlength=size) for w in (np.ones_like(dx), dx, dy, dx * dx, dx * dy)], axis=1)
    weights = np.random.default_rng(seed).multinomial(size, np.full(size, 1 / size), size=draws)
    drawn = weights @ sums
    variance = drawn[:, 3] - drawn[:, 1] ** 2 / drawn[:, 0]
    usable = variance > 1e-12
    slopes = (drawn[usable, 4] - drawn[usable, 1] * drawn[usable, 2] / drawn[usable, 0]) / variance[usable]
    low, high = np.percentile(slopes, [2.5, 97.5])
    return Interval(float((dx * dy).sum() / (dx * dx).sum()), float(low), float(high))
