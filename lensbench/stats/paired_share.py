"""The interval of a difference of two shares that were measured on the same items."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lensbench.stats.intervals import Z95, Interval

__all__ = ["none_differ_limit", "tango", "tango_ends"]

_STEPS = 55
"""Halvings of the range of differences: below the rounding of a float."""


def tango(wins: float, losses: float, items: float, *, z: float = Z95) -> Interval:
    """Score interval of a paired difference of shares (Tango 1998, Statistics in Medicine 17, 891-908, eq. 7 and 8).

    The interval holds every true difference that the score test does not reject. It has a width where nothing differed: of 24
    items on which two models agree, up to 13.8 points of difference are still possible.

    Args:
        wins: Items that only the first has right. Not a whole number where clustered items were brought to an effective number.
        losses: Items that only the second has right.
        items: Pairs, those on which the two agree included.
        z: Normal quantile of the level; 1.96 for 95%.

    Returns:
        `(wins - losses) / items` with its ends, each from -1 to 1.

    Raises:
        ValueError: no items, a negative number, or more differing items than items.

    Examples:
        >>> found = tango(0, 0, 24)
        >>> round(found.low, 3), found.value, round(found.high, 3)
        (-0.138, 0.0, 0.138)
    """
    low, high = tango_ends(wins, losses, items, z=z)
    return Interval((wins - losses) / items, float(low), float(high))


def tango_ends(wins: ArrayLike, losses: ArrayLike, items: ArrayLike, *, z: ArrayLike = Z95) -> tuple[NDArray[Any], NDArray[Any]]:
    """The ends of `tango`, of many differences at once.

    Args:
        wins, losses, items, z: As for `tango`; arrays that broadcast.

    Returns:
        Lower ends, upper ends.

    Raises:
        ValueError: see `tango`; the message names the first such difference.
    """
    b, c, n, z = np.broadcast_arrays(*(np.asarray(one, dtype=np.float64) for one in (wins, losses, items, z)))
    wrong = ~((n > 0) & (np.minimum(b, c) >= 0) & (b + c <= n * (1 + 1e-9)))
    if wrong.any():
        first = np.flatnonzero(wrong)[0]
        raise ValueError(f"{b.flat[first]:g} wins and {c.flat[first]:g} losses of {n.flat[first]:g} items")
    value = (b - c) / n
    return np.minimum(-_last(c, b, n, z), value), np.maximum(_last(b, c, n, z), value)


def none_differ_limit(items: float, *, z: float = Z95) -> float:
    """The largest true difference of shares that is still compatible with no difference on any item: `z^2 / (items + z^2)`.

    This is the end of Tango's interval without wins and losses: the "rule of three" with 3.84 in the place of 3, since it looks
    to both sides.

    Args:
        items: Pairs, all of which agree. Not a whole number where clustered items were brought to an effective number.
        z: Normal quantile of the level; 1.96 for 95%.

    Raises:
        ValueError: no items.

    Examples:
        >>> f"0 of 24 differ, at most {100 * none_differ_limit(24):.1f} points"
        '0 of 24 differ, at most 13.8 points'
    """
    if not items > 0:
        raise ValueError(f"{items} items")
    return z**2 / (items + z**2)


def _last(b: NDArray[Any], c: NDArray[Any], n: NDArray[Any], z: NDArray[Any]) -> NDArray[Any]:
    """The largest true difference at which the score is not below -z. The score falls as the true difference rises."""
    low, high = (b - c) / n, np.ones_like(n)
    reached = _score(b, c, n, high) >= -z
    for _ in range(_STEPS):
        middle = (low + high) / 2
        holds = _score(b, c, n, middle) >= -z
        low, high = np.where(holds, middle, low), np.where(holds, high, middle)
    return np.where(reached, 1.0, low)


def _score(wins: NDArray[Any], losses: NDArray[Any], n: NDArray[Any], true: NDArray[Any]) -> NDArray[Any]:
    """The score statistic of a true difference."""
    # Below 0 the two change places.
    sign = np.where(true < 0, -1.0, 1.0)
    b, c, d = np.where(true < 0, losses, wins), np.where(true < 0, wins, losses), np.abs(true)
    # The share that only the second has right, most likely under that difference: the larger root of 2n q^2 + p q = rest.
    p = (2 * n - b + c) * d - b - c
    rest = c * d * (1 - d)
    q = (np.sqrt(p * p + 8 * n * rest) - p) / (4 * n)
    variance = n * (2 * np.maximum(q, 0.0) + d * (1 - d))
    distance = b - c - n * d
    with np.errstate(divide="ignore", invalid="ignore"):
        score = np.where(distance == 0, 0.0, distance / np.sqrt(variance))
    return np.asarray(sign * score)
