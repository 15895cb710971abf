"""Which variant is the best of its column, where a paired test tells it from the second best."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lensbench.numbers.pair import DRAWS, SEED, test_pairs
from lensbench.spec import BASE
from lensbench.stats import ALPHA, sign_flip

__all__ = ["ALL", "ENHANCED", "leaders"]

ALL = "all"
ENHANCED = "enhanced"


def leaders(
    variants: Sequence[str],
    values: NDArray[Any],
    means: NDArray[Any],
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
        means: `[variants]`, what is compared: NaN where a variant has no number.
        clusters, cells, weights: See `lensbench.stats.bootstrap_means`.

    Returns:
        Variant -> "all", "enhanced" or both. Nobody leads where nothing tells which way is better, or where fewer than two
        variants have a number.
    """
    found: dict[str, tuple[str, ...]] = {}
    if higher_is_better is None:
        return found
    sign = -1 if higher_is_better else 1
    ranked = sorted(map(int, np.flatnonzero(~np.isnan(means))), key=lambda row: sign * means[row])
    p_values: dict[tuple[int, int], float] = {}
    for name in (ALL, ENHANCED):
        among = [row for row in ranked if name == ALL or variants[row] != BASE][:2]
        if len(among) < 2 or means[among[0]] == means[among[1]]:
            continue
        pair = among[0], among[1]
        if pair not in p_values:
            p_values[pair] = _p_value(values[pair[0]], values[pair[1]], clusters, cells, weights)
        if p_values[pair] < ALPHA:
            found[variants[pair[0]]] = (*found.get(variants[pair[0]], ()), name)
    return found


def _p_value(
    first: NDArray[Any], second: NDArray[Any], clusters: NDArray[Any], cells: NDArray[Any] | None, weights: NDArray[Any] | None
) -> float:
    """Of the paired test; 1 where the two have no item in common."""
    if cells is None:
        tested = test_pairs(first, second, clusters, float("nan"))
        return 1.0 if tested is None else tested.p_value
    p_value = sign_flip((first - second)[None], clusters, cells=cells, weights=weights, draws=DRAWS, seed=SEED)[0]
    return 1.0 if np.isnan(p_value) else float(p_value)
