"""The confidence interval of a share of items."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Z95", "Interval", "wilson", "wilson_ends"]

Z95 = 1.959963984540054
"""97.5% point of the normal distribution."""


@dataclass(frozen=True)
class Interval:
    """A value with its 95% interval."""

    value: float
    low: float
    high: float


def wilson(scores: NDArray[Any]) -> Interval:
    """Mean of 0/1 scores with the Wilson score interval (Wilson 1927), which behaves at 0 and 1 and for small n.

    Args:
        scores: `[items]`, each 0 or 1; at least one.

    Raises:
        ValueError: no scores, or one that is neither 0 nor 1.

    Examples:
        >>> found = wilson(np.array([1, 1, 1, 1, 1, 0, 0, 0, 0, 0]))
        >>> round(found.low, 4), found.value, round(found.high, 4)
        (0.2366, 0.5, 0.7634)
    """
    values = np.asarray(scores, dtype=float)
    if values.size == 0 or not np.isin(values, (0.0, 1.0)).all():
        raise ValueError("wilson needs at least one score, each 0 or 1")
    share = float(values.mean())
    low, high = wilson_ends(share, values.size)
    return Interval(share, float(low), float(high))


def wilson_ends(share: ArrayLike, items: ArrayLike, *, z: ArrayLike = Z95) -> tuple[NDArray[Any], NDArray[Any]]:
    """The ends of Wilson's interval, of many shares at once.

    Args:
        share: From 0 to 1.
        items: Above 0. Not a whole number where clustered items were brought to an effective number.
        z: Normal quantile of the level; 1.96 for 95%. All three are arrays that broadcast.

    Returns:
        Lower ends, upper ends.
    """
    share, n, z = (np.asarray(one, dtype=np.float64) for one in (share, items, z))
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    # At a share of 0 or 1 one end is the share itself; rounding may leave it beside it, and outside of its own interval.
    return np.minimum(share, np.maximum(0.0, centre - half)), np.maximum(share, np.minimum(1.0, centre + half))
