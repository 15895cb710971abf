"""What clustered values say of the precision of a weighted mean of cell means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lensbench.stats.bootstrap import cell_weights
from lensbench.stats.resample import Stratum, gather

__all__ = ["Spread", "spread"]


@dataclass(frozen=True)
class Spread:
    """Moments of weighted means, `[columns]` each; NaN where a column lacks a value in one of the cells.

    An item of cell c weighs `weight[c] / items[c]`, a cluster as much as its items together; all of them weigh 1. What a cluster
    contributes to the value is the sum of its items, each times its weight.

    Attributes:
        value: The weighted mean of the cells' means.
        items, clusters: Number of values, and of clusters that have one.
        plain: Whether there is one cell and no cluster has two values.
        squares: The weighted mean of the cells' mean squared values.
        apart: Variance of `value` if all items were independent: `sum(weight^2 x variance of the cell / items)`.
        borrowed: The same after one differing item was added to each cell, at the rate at which items differ in all cells, where
            that raises the cell's variance. It is above `apart` where a small cell happens to vary little.
        together: Variance of `value` with clusters as the unit. Each cell of a cluster is scaled as in CR2 (Bell and McCaffrey
            2002), which for one cell and clusters of one size gives the factor `clusters / (clusters - 1)`. NaN where all items
            of a cell are in one cluster.
        kish: `1 / sum(weight of a cluster^2)`: what the clusters count for if the values of a cluster are all alike (Kish 1965).
        freedom: Degrees of freedom of `together`, after Welch and Satterthwaite over the strata; at least 1.
        gains, drops: Sum of the positive, and of the negative, contributions; neither is negative.
        power: Sum of the squared contributions.
        largest: The largest squared contribution.
    """

    value: NDArray[Any]
    items: NDArray[Any]
    clusters: NDArray[Any]
    plain: NDArray[Any]
    squares: NDArray[Any]
    apart: NDArray[Any]
    borrowed: NDArray[Any]
    together: NDArray[Any]
    kish: NDArray[Any]
    freedom: NDArray[Any]
    gains: NDArray[Any]
    drops: NDArray[Any]
    power: NDArray[Any]
    largest: NDArray[Any]


def spread(
    values: NDArray[Any], clusters: NDArray[Any], cells: NDArray[Any] | None = None, weights: NDArray[Any] | None = None
) -> Spread:
    """The moments of every column.

    Args:
        values, clusters, cells, weights: See `bootstrap_means`.

    Raises:
        ValueError: no items, unlike lengths, or a cell without a weight.
    """
    values = np.asarray(values, dtype=np.float64)
    strata = gather(values, clusters, cells)
    shares = cell_weights(strata, weights)
    order = np.concatenate([stratum.cells for stratum in strata])
    squared = _squared(values, np.zeros(values.shape[1], dtype=np.int64) if cells is None else np.asarray(cells))[:, order]
    found = _of_cells(strata, shares[order], squared)
    parts = [_of_clusters(stratum, shares[stratum.cells]) for stratum in strata]
    total = {name: np.sum([part[name] for part in parts], axis=0) for name in parts[0]}
    kish = 1 / total["weight2"]
    with np.errstate(invalid="ignore", divide="ignore"):
        freedom = np.where(total["together"] > 0, total["together"] ** 2 / total["per_freedom"], kish - 1)
    return Spread(
        **found,
        clusters=total["clusters"],
        plain=(len(order) == 1) & (found["items"] == total["clusters"]),
        together=total["together"],
        kish=kish,
        freedom=np.fmax(freedom, 1.0),
        gains=total["gains"],
        drops=total["drops"],
        power=total["power"],
        largest=np.max([part["largest"] for part in parts], axis=0),
    )


def _squared(values: NDArray[Any], cells: NDArray[Any]) -> NDArray[Any]:
    """`[columns, cells]`, sum of the squared values."""
    filled = np.where(np.isnan(values), 0.0, values) ** 2
    return np.stack([np.bincount(cells, weights=row) for row in filled])


def _of_cells(strata: list[Stratum], share: NDArray[Any], squared: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """What needs no clusters. `share` `[cells]` and `squared` `[columns, cells]` have the cells in the order of the strata."""
    items = np.concatenate([stratum.counts.sum(2) for stratum in strata], axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.concatenate([stratum.sums.sum(2) for stratum in strata], axis=1) / items
        square = squared / items
        variance = np.maximum(square - mean**2, 0.0)
        pooled = (variance @ share)[:, None]
        lent = np.where(pooled > 0, (variance * items + 1) / (items + 1 / pooled), 0.0)
        return {
            "value": mean @ share,
            "items": items.sum(1),
            "squares": square @ share,
            "apart": (variance / items) @ share**2,
            "borrowed": (np.maximum(variance, lent) / items) @ share**2,
        }


def _of_clusters(stratum: Stratum, share: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """What one stratum adds to each sum over clusters."""
    counts, sums = stratum.counts, stratum.sums
    with np.errstate(invalid="ignore", divide="ignore"):
        n = counts.sum(2, keepdims=True)
        per_item = share[:, None] / n
        weight = (per_item * counts).sum(1)
        contribution = (per_item * sums).sum(1)
        # A cell whose items are all in one cluster says nothing of how clusters vary: 0 / 0 is no number.
        residual = (sums - sums.sum(2, keepdims=True) / n * counts) / np.sqrt(1 - counts / n)
        together = ((per_item * residual).sum(1) ** 2).sum(1)
        weight2 = (weight**2).sum(1)
        freedom = np.maximum(weight2**2 / (weight**4).sum(1) - 1, 1.0)
    return {
        "clusters": (counts.sum(1) > 0).sum(1),
        "together": together,
        "weight2": weight2,
        "per_freedom": together**2 / freedom,
        "gains": np.maximum(contribution, 0.0).sum(1),
        "drops": np.maximum(-contribution, 0.0).sum(1),
        "power": (contribution**2).sum(1),
        "largest": (contribution**2).max(1),
    }
