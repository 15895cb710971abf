"""Tests of one null hypothesis: swapping the scores of variant and base on each source item changes nothing.

For 0/1 scores, one a cluster, that is McNemar's exact test: of the items on which the two differ, each is as likely to be won
as lost. For ratings and shares, and where a cluster has several values, the same hypothesis is tested by swapping the two
within whole clusters at random (a paired sign-flip permutation test; Fisher 1935). It is exact for any distribution of scores
and needs no variance, which a bootstrap p-value does not offer at the sizes of MT-Bench; and on 0/1 scores it gives McNemar's
p-value, so one test serves a table.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lensbench.stats.bootstrap import cell_weights
from lensbench.stats.resample import gather

__all__ = ["holm", "mcnemar_exact", "sign_flip"]

_CHUNK = 2**20
_TOLERANCE = 1e-9
"""Sums that differ by less, relative to the sum of their parts, are equal; they differ by the order of addition."""


def mcnemar_exact(wins: int, losses: int) -> float:
    """Two-sided exact p-value of McNemar (1947) for 0/1 scores: binomial, one half, over the items on which the two differ.

    Args:
        wins: Items that only the variant answers correctly.
        losses: Items that only the base answers correctly.

    Raises:
        ValueError: a negative number.

    Examples:
        Of ten items on which the two differ, eight are won: 2 (1 + 10 + 45) / 1024.

        >>> mcnemar_exact(8, 2)
        0.109375
    """
    if min(wins, losses) < 0:
        raise ValueError(f"wins and losses are numbers of items, found {wins} and {losses}")
    n, tail, term = wins + losses, 0, 1
    # Whole numbers of any length: no rounding where thousands of items differ.
    for k in range(min(wins, losses) + 1):
        tail += term
        term = term * (n - k) // (k + 1)
    return min(1.0, 2 * tail / (1 << n))


def sign_flip(
    differences: NDArray[Any],
    clusters: NDArray[Any],
    *,
    cells: NDArray[Any] | None = None,
    weights: NDArray[Any] | None = None,
    draws: int = 10_000,
    seed: int = 12345,
) -> NDArray[Any]:
    """Two-sided p-values of the mean difference, `[columns]`: signs are flipped for whole clusters; all columns share the draws.

    If there are at most `draws` sign patterns, all are used; otherwise `draws` random ones, counting the observed one (Phipson
    and Smyth 2010), so no p-value is 0.

    Args:
        differences: `[columns, items]`, NaN where an item has no pair.
        clusters, cells, weights: See `bootstrap_means`. With several cells the statistic is the weighted mean of their means.
        draws: Sign patterns.
        seed: Of the signs.

    Returns:
        NaN where a column has no pair, or a cell of it has none.

    Raises:
        ValueError: no items, or unlike lengths.
    """
    parts = _contributions(differences, clusters, cells, weights)
    observed = np.abs(parts.sum(1))
    slack = _TOLERANCE * np.abs(parts).sum(1)
    found = np.full(len(parts), np.nan)
    sampled = []
    for column, row in enumerate(parts):
        moving = row[row != 0]
        if np.isnan(row).any():
            continue
        if 2 ** len(moving) <= draws:
            patterns = 1 - 2.0 * ((np.arange(2 ** len(moving))[:, None] >> np.arange(len(moving))) & 1)
            found[column] = float(np.mean(np.abs(patterns @ moving) >= observed[column] - slack[column]))
        else:
            sampled.append(column)
    if sampled:
        as_large = np.zeros(len(sampled), dtype=np.int64)
        for signs in _signs(parts.shape[1], draws, seed):
            as_large += (np.abs(signs @ parts[sampled].T) >= observed[sampled] - slack[sampled]).sum(0)
        found[sampled] = (as_large + 1) / (draws + 1)
    return found


def _contributions(
    differences: NDArray[Any], clusters: NDArray[Any], cells: NDArray[Any] | None, weights: NDArray[Any] | None
) -> NDArray[Any]:
    """Contribution of each cluster to the statistic: `[columns, clusters]`."""
    strata = gather(differences, clusters, cells)
    shares = cell_weights(strata, weights)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.concatenate(
            [(s.sums / s.counts.sum(2, keepdims=True) * shares[s.cells][:, None]).sum(1) for s in strata], axis=1
        )


def _signs(clusters: int, draws: int, seed: int) -> Any:
    rng = np.random.default_rng(seed)
    step = max(1, _CHUNK // clusters)
    for start in range(0, draws, step):
        rows = min(step, draws - start)
        bits = np.frombuffer(rng.bytes(rows * ((clusters + 7) // 8)), dtype=np.uint8).reshape(rows, -1)
        yield 1 - 2.0 * np.unpackbits(bits, axis=1, count=clusters)


def holm(p_values: NDArray[Any]) -> NDArray[Any]:
    """p-values adjusted for their number by Holm (1979): no more than 5% of such families hold a false finding at 0.05.

    Args:
        p_values: `[tests]`, NaN where there was no test; it stays NaN and does not count.
    """
    p_values = np.asarray(p_values, dtype=np.float64)
    adjusted = np.full(p_values.shape, np.nan)
    tested = np.flatnonzero(~np.isnan(p_values))
    order = tested[np.argsort(p_values[tested], kind="stable")]
    steps = p_values[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(steps)) if len(order) else steps
    return adjusted
