"""Which variant is the best of its column, where a paired test tells it from the second best."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lensbench.numbers.pair import DRAWS, SEED
from lensbench.spec import BASE
from lensbench.stats import ALPHA, sign_flip

__all__ = ["ALL", "ENHANCED", "leaders"]

ALL = "all"
ENHANCED = "enhanced"


def leaders(
    variants: Sequence[str],
    values: NDArray[Any],
    clusters: NDArray[Any],
    higher_is_better: bool | None,
    *,
    cells: NDArray[Any] | None = None,
    weights: NDArray[Any] | None = None,
) -> dict[str, tuple[str, ...]]:
    """Variants that lead: among all, and among all but `base`.

    A variant leads where the two-sided p-value of the paired test against the second best is below 0.05. It is not adjusted for
    the number of columns: bold type in a table of 35 columns is no family of tests.

    Args:
        values: `[variants, items]`, NaN where a variant has no value.
        clusters, cells, weights: See `lensbench.stats.bootstrap_means`.

    Returns:
        Variant -> "all", "enhanced" or both. Nobody leads where nothing tells which way is better, or where fewer than two
        variants have a number.
    """
    found: dict[str, tuple[str, ...]] = {}
    if higher_is_better is None:
        return found
    for name in (ALL, ENHANCED):
        among = [row for row, variant in enumerate(variants) if name == ALL or variant != BASE]
        leader = _leader(among, values, clusters, -1 if higher_is_better else 1, cells, weights)
        if leader is not None:
            found[variants[leader]] = (*found.get(variants[leader], ()), name)
    return found


def _leader(
    among: Sequence[int],
    values: NDArray[Any],
    clusters: NDArray[Any],
    sign: int,
    cells: NDArray[Any] | None,
    weights: NDArray[Any] | None,
) -> int | None:
    means = {row: _mean(values[row], cells, weights) for row in among}
    ranked = sorted((row for row in among if not np.isnan(means[row])), key=lambda row: sign * means[row])
    if len(ranked) < 2 or means[ranked[0]] == means[ranked[1]]:
        return None
    difference = values[ranked[0]] - values[ranked[1]]
    if np.isnan(difference).all():
        return None
    p_value = sign_flip(difference[None], clusters, cells=cells, weights=weights, draws=DRAWS, seed=SEED)[0]
    return ranked[0] if p_value < ALPHA else None


def _mean(values: NDArray[Any], cells: NDArray[Any] | None, weights: NDArray[Any] | None) -> float:
    """Weighted mean of the cells' means; NaN where a cell has no value."""
    there = ~np.isnan(values)
    if cells is None or weights is None:
        return float(values[there].mean()) if there.any() else float("nan")
    counts = np.bincount(cells[there], minlength=len(weights))
    if not counts.all():
        return float("nan")
    means = np.bincount(cells[there], weights=values[there], minlength=len(weights)) / counts
    return float(np.average(means, weights=weights))
