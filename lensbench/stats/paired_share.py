"""The interval of a difference of two shares that were measured on the same items."""

from __future__ import annotations

from collections.abc import Callable

from lensbench.stats.intervals import Z95, Interval

__all__ = ["tango"]

_STEPS = 60
"""Halvings of the range of differences: far below the rounding of a float."""


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
    if items <= 0 or min(wins, losses) < 0 or wins + losses > items * (1 + 1e-9):
        raise ValueError(f"{wins} wins and {losses} losses of {items} items")
    value = (wins - losses) / items
    high = _last(lambda true: _score(wins, losses, items, true) >= -z, value, 1.0)
    low = -_last(lambda true: _score(losses, wins, items, true) >= -z, -value, 1.0)
    return Interval(value, min(low, value), max(high, value))


def _score(wins: float, losses: float, items: float, true: float) -> float:
    """The score statistic of one true difference; falls as that difference rises."""
    distance = wins - losses - items * true
    if true < 0:
        return -_score(losses, wins, items, -true)
    # The share that only the second has right, most likely under that difference.
    b = -wins - losses + (2 * items - wins + losses) * true
    c = -losses * true * (1 - true)
    only_second = ((b * b - 8 * items * c) ** 0.5 - b) / (4 * items)
    variance = items * (2 * max(only_second, 0.0) + true * (1 - true))
    if variance <= 0:
        return 0.0 if distance == 0 else float("inf") if distance > 0 else float("-inf")
    return float(distance / variance**0.5)


def _last(holds: Callable[[float], bool], start: float, end: float) -> float:
    """The last point from `start` on at which a condition holds that fails from somewhere on."""
    if holds(end):
        return end
    low, high = start, end
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low
