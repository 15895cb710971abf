"""Clustered bootstrap intervals for any number of variants at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lensbench.stats.resample import Stratum, draw_counts, gather

__all__ = ["Intervals", "bootstrap_means", "cell_weights", "clustered_errors", "paired_bootstrap"]


@dataclass(frozen=True)
class Intervals:
    """Values with their 95% intervals, one per column; NaN without a value, and no interval with fewer than two clusters.

    Attributes:
        value, low, high: `[columns]`.
        clusters: `[columns]`, clusters that have a value.
    """

    value: NDArray[Any]
    low: NDArray[Any]
    high: NDArray[Any]
    clusters: NDArray[Any]


def bootstrap_means(
    values: NDArray[Any],
    clusters: NDArray[Any],
    *,
    cells: NDArray[Any] | None = None,
    weights: NDArray[Any] | None = None,
    draws: int = 10_000,
    seed: int = 12345,
) -> Intervals:
    """Means with percentile intervals (Efron 1979) over whole clusters; all columns share the draws.

    With several cells the value is the weighted mean of the cells' means. Cells that share clusters are drawn together, others
    apart from each other, so that a mean over tasks keeps every task's number of items.

    A draw is how often each cluster came: one matrix product then gives all columns. Memory is bounded by the chunk that is
    drawn at a time and by `draws x columns` results.

    Args:
        values: `[columns, items]`, NaN where an item has no value. An item without one weighs nothing.
        clusters: `[items]`, label of the cluster each item belongs to.
        cells: `[items]`, number of the cell each belongs to, from 0; None: all are of one.
        weights: `[cells]`; None: all alike.
        draws: Bootstrap samples.
        seed: Of the resampling. A stratum takes `seed` and its place.

    Raises:
        ValueError: no items, or different lengths.
    """
    strata = gather(values, clusters, cells)
    shares = cell_weights(strata, weights)
    columns = strata[0].sums.shape[0]
    total = np.zeros((draws, columns))
    value = np.zeros(columns)
    have = np.zeros(columns, dtype=np.int64)
    for number, stratum in enumerate(strata):
        share = shares[stratum.cells]
        with np.errstate(invalid="ignore", divide="ignore"):
            value += (stratum.sums.sum(2) / stratum.counts.sum(2)) @ share
        have += (stratum.counts.sum(1) > 0).sum(1)
        flat = np.concatenate([stratum.sums, stratum.counts]).reshape(-1, stratum.clusters).T
        done = 0
        for drawn in draw_counts(stratum.clusters, draws, seed + number):
            sums, counts = (drawn @ flat).reshape(len(drawn), 2, columns, len(share)).swapaxes(0, 1)
            with np.errstate(invalid="ignore", divide="ignore"):
                total[done : done + len(drawn)] += (sums / counts) @ share
            done += len(drawn)
    low, high = np.full(columns, np.nan), np.full(columns, np.nan)
    for column in np.flatnonzero((have >= 2) & ~np.isnan(value)):
        # A draw without any item of a cell has no mean; it is left out.
        drawn = total[:, column]
        low[column], high[column] = np.percentile(drawn[~np.isnan(drawn)], [2.5, 97.5])
    return Intervals(value, low, high, have)


def paired_bootstrap(
    variants: NDArray[Any],
    base: NDArray[Any],
    clusters: NDArray[Any],
    *,
    cells: NDArray[Any] | None = None,
    weights: NDArray[Any] | None = None,
    draws: int = 10_000,
    seed: int = 12345,
) -> Intervals:
    """Differences of variants to `base` on the same items, with percentile intervals over whole clusters.

    Args:
        variants: `[variants, items]`, NaN if an item has no value; such an item is in no pair.
        base: `[items]`, the same items in the same order.
        clusters, cells, weights, draws, seed: See `bootstrap_means`.

    Raises:
        ValueError: no items, or different lengths.
    """
    variants, base = np.atleast_2d(np.asarray(variants, dtype=np.float64)), np.asarray(base, dtype=np.float64)
    if variants.shape[1:] != base.shape:
        raise ValueError("variants [variants, items] and base [items] must have the same items")
    return bootstrap_means(variants - base, clusters, cells=cells, weights=weights, draws=draws, seed=seed)


def clustered_errors(
    values: NDArray[Any], clusters: NDArray[Any], *, cells: NDArray[Any] | None = None, weights: NDArray[Any] | None = None
) -> NDArray[Any]:
    """Cluster-robust standard errors of the (weighted means of) means, in closed form; `[columns]`, NaN below two clusters.

    The sandwich of a regression on cell dummies with clustered scores, times `clusters / (clusters - 1)` in each stratum (Liang
    and Zeger 1986; Miller 2024, Adding Error Bars to Evals, for its use with benchmarks).
    """
    strata = gather(values, clusters, cells)
    shares = cell_weights(strata, weights)
    variance = np.zeros(strata[0].sums.shape[0])
    for stratum in strata:
        with np.errstate(invalid="ignore", divide="ignore"):
            n = stratum.counts.sum(2, keepdims=True)
            means = stratum.sums.sum(2, keepdims=True) / n
            scores = ((stratum.sums - means * stratum.counts) / n * shares[stratum.cells][:, None]).sum(1)
        filled = (stratum.counts.sum(1) > 0).sum(1)
        variance += np.where(filled >= 2, (scores**2).sum(1) * filled / np.maximum(filled - 1, 1), np.nan)
    return np.asarray(np.sqrt(variance))


def cell_weights(strata: list[Stratum], weights: NDArray[Any] | None) -> NDArray[Any]:
    """Weights that add up to 1, by number of the cell.

    Raises:
        ValueError: a cell has no weight.
    """
    size = 1 + max(int(stratum.cells.max()) for stratum in strata)
    found = np.ones(size) if weights is None else np.asarray(weights, dtype=np.float64)
    if len(found) < size:
        raise ValueError(f"{size} cells, {len(found)} weights")
    used = np.zeros(len(found))
    for stratum in strata:
        used[stratum.cells] = found[stratum.cells]
    return used / used.sum()
