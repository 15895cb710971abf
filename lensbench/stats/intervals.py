"""Intervals for shares of items, and for the paired difference of two variants on the same items."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Interval", "paired_difference", "wilson"]

_Z95 = 1.959963984540054
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
    """
    values = np.asarray(scores, dtype=float)
    if values.size == 0 or not np.isin(values, (0.0, 1.0)).all():
        raise ValueError("wilson needs at least one score, each 0 or 1")
    n, share = values.size, float(values.mean())
    centre = (share + _Z95**2 / (2 * n)) / (1 + _Z95**2 / n)
    half = _Z95 / (1 + _Z95**2 / n) * np.sqrt(share * (1 - share) / n + _Z95**2 / (4 * n**2))
    return Interval(share, max(0.0, float(centre - half)), min(1.0, float(centre + half)))


def clustered_mean(values: NDArray[Any], clusters: NDArray[Any], *, draws: int = 10_000, seed: int = 12345) -> Interval:
    """Mean of all values, with a percentile bootstrap interval that resamples whole clusters.

    The two turns of one question belong together: drawing them apart would make the interval too narrow.

    Args:
        values: `[values]`.
        clusters: `[values]`, 0-based number of the cluster each value belongs to.
        draws: Bootstrap samples.
        seed: Of the resampling.

    Raises:
        ValueError: no values, or unlike lengths.
    """
    values = np.asarray(values, dtype=float)
    if values.size == 0 or len(values) != len(clusters):
        raise ValueError("clustered_mean needs two equally long, non-empty arrays")
    _, place = np.unique(np.asarray(clusters), return_inverse=True)
    sums = np.bincount(place, weights=values)
    counts = np.bincount(place)
    # Only how often each distinct (sum, count) occurs matters to the mean, so a multinomial draw replaces resampling clusters.
    kinds, often = np.unique(np.stack([np.round(sums, 9), counts], axis=1), axis=0, return_counts=True)
    samples = np.random.default_rng(seed).multinomial(len(sums), often / len(sums), size=draws)
    means = (samples @ kinds[:, 0]) / (samples @ kinds[:, 1])
    low, high = np.percentile(means, [2.5, 97.5])
    return Interval(float(values.mean()), float(low), float(high))


def paired_difference(
    variant: NDArray[Any], base: NDArray[Any], *, clusters: NDArray[Any] | None = None, draws: int = 10_000, seed: int = 12345
) -> Interval:
    """Mean difference of two variants on the same items, with a percentile bootstrap interval over items or clusters of them.

    Args:
        variant: `[values]`.
        base: `[values]` of the same items in the same order.
        clusters: `[values]`, 0-based number of the cluster each belongs to; None: each is one of its own.
        draws: Bootstrap samples.
        seed: Of the resampling.

    Raises:
        ValueError: no items, or unlike lengths.
    """
    difference = np.asarray(variant, dtype=float) - np.asarray(base, dtype=float)
    if difference.size == 0 or len(variant) != len(base):
        raise ValueError("paired_difference needs two equally long, non-empty arrays")
    return clustered_mean(difference, np.arange(difference.size) if clusters is None else clusters, draws=draws, seed=seed)
