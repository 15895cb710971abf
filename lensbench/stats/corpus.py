"""Corpus metrics: numbers computed from sums of statistics over items, such as chrF or bits per byte.

The mean of such a metric over items is another number than the metric of the corpus. Intervals and tests therefore add up the
statistics of each resample and compute the metric again (Koehn 2004; sacrebleu does the same).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lensbench.stats.resample import draw_counts

__all__ = ["CorpusPair", "corpus_interval", "corpus_pair", "sums_by_cluster"]

Compute = Callable[[NDArray[Any]], NDArray[Any]]
"""Sums of the statistics, `[..., statistics]` -> the metric, `[...]`."""
_CHUNK = 2**18
_TOLERANCE = 1e-9
"""Relative tolerance: a smaller difference between metrics is rounding."""


@dataclass(frozen=True)
class CorpusPair:
    """The paired difference of a corpus metric.

    Attributes:
        difference: Variant minus base, over the items that both have.
        low, high: 95% percentile interval; NaN below two clusters.
        error: Standard deviation of the bootstrap differences; NaN below two clusters.
        p_value: Two-sided, of an approximate randomization test that swaps the two within whole clusters.
        pairs: Items.
    """

    difference: float
    low: float
    high: float
    error: float
    p_value: float
    pairs: int


def sums_by_cluster(statistics: NDArray[Any], clusters: NDArray[Any]) -> NDArray[Any]:
    """Statistics added up within clusters, sorted by their label.

    Args:
        statistics: `[items, statistics]`, without NaN.
        clusters: `[items]`.

    Returns:
        `[clusters, statistics]`.
    """
    labels, place = np.unique(clusters, return_inverse=True)
    return np.stack([np.bincount(place, weights=column, minlength=len(labels)) for column in statistics.T], axis=1)


def corpus_interval(
    statistics: NDArray[Any], clusters: NDArray[Any], compute: Compute, *, draws: int = 10_000, seed: int = 12345
) -> tuple[float, float, float]:
    """A corpus metric with its 95% percentile interval over whole clusters.

    Args:
        statistics: `[items, statistics]`; an item with NaN has no score and is left out.
        clusters: `[items]`.

    Returns:
        Value, low, high; NaN if there is no item; low and high are also NaN with fewer than two clusters.
    """
    there = ~np.isnan(statistics).any(1)
    if not there.any():
        return np.nan, np.nan, np.nan
    sums = sums_by_cluster(statistics[there], clusters[there])
    value = float(compute(sums.sum(0)))
    if len(sums) < 2:
        return value, np.nan, np.nan
    drawn = np.concatenate([compute(counts @ sums) for counts in draw_counts(len(sums), draws, seed)])
    low, high = np.percentile(drawn, [2.5, 97.5])
    return value, float(low), float(high)


def corpus_pair(
    variant: NDArray[Any], base: NDArray[Any], clusters: NDArray[Any], compute: Compute, *, draws: int = 10_000, seed: int = 12345
) -> CorpusPair | None:
    """The paired difference of a corpus metric, its interval and its test.

    If there are at most `draws` possible swaps, all are used; otherwise `draws` random ones, counting the observed one (Phipson
    and Smyth 2010).

    Args:
        variant, base: `[items, statistics]`, NaN where one has no score; only items that both have count.
        clusters: `[items]`.

    Returns:
        None without a pair.
    """
    both = ~np.isnan(variant + base).any(1)
    if not both.any():
        return None
    ours, theirs = sums_by_cluster(variant[both], clusters[both]), sums_by_cluster(base[both], clusters[both])
    observed = float(compute(ours.sum(0)) - compute(theirs.sum(0)))
    low = high = error = np.nan
    if len(ours) >= 2:
        drawn = np.concatenate(
            [compute(counts @ ours) - compute(counts @ theirs) for counts in draw_counts(len(ours), draws, seed)]
        )
        low, high = (float(end) for end in np.percentile(drawn, [2.5, 97.5]))
        error = float(drawn.std(ddof=1))
    p_value = _swap_test(ours, theirs, compute, abs(observed), draws, seed)
    return CorpusPair(observed, low, high, error, p_value, int(both.sum()))


def _swap_test(ours: NDArray[Any], theirs: NDArray[Any], compute: Compute, observed: float, draws: int, seed: int) -> float:
    moving = (ours != theirs).any(1)
    change = theirs[moving] - ours[moving]
    size = int(moving.sum())
    slack = _TOLERANCE * max(abs(float(compute(ours.sum(0)))), abs(float(compute(theirs.sum(0)))), 1e-300)
    exact = 2**size <= draws
    tried = as_large = 0
    for swapped in _swaps(size, draws, seed, exact=exact):
        moved = swapped @ change
        differences = compute(ours.sum(0) + moved) - compute(theirs.sum(0) - moved)
        as_large += int((np.abs(differences) >= observed - slack).sum())
        tried += len(swapped)
    return as_large / tried if exact else (as_large + 1) / (tried + 1)


def _swaps(size: int, draws: int, seed: int, *, exact: bool) -> Any:
    """Rows of 0 and 1: which clusters are swapped."""
    if exact:
        yield ((np.arange(2**size)[:, None] >> np.arange(size)) & 1).astype(np.float64)
        return
    rng = np.random.default_rng(seed)
    step = max(1, _CHUNK // size)
    for start in range(0, draws, step):
        yield rng.integers(0, 2, size=(min(step, draws - start), size)).astype(np.float64)
