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
    """Moments of weighted means; one entry per column, NaN where a column lacks a value in one of the cells.

    An item of cell c weighs `weight[c] / items[c]`, a cluster as much as its items together; all of them weigh 1.

    Attributes:
        value: The weighted mean of the cells' means.
        items, clusters: Number of values, and of clusters that have one.
        single: Whether no cluster has two values.
        squares: The same mean of the squared values.
        apart: Variance of `value` if all items were independent: `sum(weight^2 x variance of the cell / items)`.
        together: The same with clusters as the unit. Each cell of a cluster is scaled as in CR2 (Bell and McCaffrey 2002), which
            for one cell and clusters of one size gives the factor `clusters / (clusters - 1)`.
        kish: `1 / sum(weight of a cluster^2)`: what the clusters count for if the values of a cluster are all alike (Kish 1965).
        freedom: Degrees of freedom of `together`, after Welch and Satterthwaite over the strata.
        gains, drops: Sum of the positive, and of the negative, contributions of clusters to `value`, both as positive numbers.
        power: Sum of the squared contributions.
    """

    value: NDArray[Any]
    items: NDArray[Any]
    clusters: NDArray[Any]
    single: NDArray[Any]
    squares: NDArray[Any]
    apart: NDArray[Any]
    together: NDArray[Any]
    kish: NDArray[Any]
    freedom: NDArray[Any]
    gains: NDArray[Any]
    drops: NDArray[Any]
    power: NDArray[Any]


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
    squared = _squares(values, np.zeros(values.shape[1], dtype=np.int64) if cells is None else np.asarray(cells))
    parts = [_of_stratum(stratum, shares[stratum.cells], squared[:, stratum.cells]) for stratum in strata]
    total = {name: np.sum([part[name] for part in parts], axis=0) for name in parts[0]}
    with np.errstate(invalid="ignore", divide="ignore"):
        return Spread(
            value=total["value"],
            items=total["items"],
            clusters=total["clusters"].astype(np.int64),
            single=total["items"] == total["clusters"],
            squares=total["squares"],
            apart=total["apart"],
            together=total["together"],
            kish=1 / total["weight2"],
            freedom=total["together"] ** 2 / total["per_freedom"],
            gains=total["gains"],
            drops=total["drops"],
            power=total["power"],
        )


def _squares(values: NDArray[Any], cells: NDArray[Any]) -> NDArray[Any]:
    """`[columns, cells]`, sum of the squared values."""
    filled = np.where(np.isnan(values), 0.0, values) ** 2
    return np.stack([np.bincount(cells, weights=row) for row in filled])


def _of_stratum(stratum: Stratum, share: NDArray[Any], squared: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """What one stratum adds to each sum; `[columns]` each."""
    counts, sums = stratum.counts, stratum.sums
    with np.errstate(invalid="ignore", divide="ignore"):
        n = counts.sum(2, keepdims=True)
        mean = sums.sum(2, keepdims=True) / n
        per_item = share[:, None] / n
        weight = (per_item * counts).sum(1)
        gain = (per_item * sums).sum(1)
        # A cell that stands in one cluster alone says nothing of how clusters vary: 0 / 0 becomes no number.
        scores = (per_item * (sums - mean * counts) / np.sqrt(1 - counts / n)).sum(1)
        together = (scores**2).sum(1)
        weight2 = (weight**2).sum(1)
        freedom = weight2**2 / (weight**4).sum(1) - 1
        items, mean = n[:, :, 0], mean[:, :, 0]
        return {
            "value": mean @ share,
            "items": items.sum(1),
            "clusters": (counts.sum(1) > 0).sum(1),
            "squares": (squared / items) @ share,
            "apart": (np.maximum(squared / items - mean**2, 0.0) / items) @ share**2,
            "together": together,
            "weight2": weight2,
            "per_freedom": np.where(together > 0, together**2 / freedom, 0.0),
            "gains": np.maximum(gain, 0.0).sum(1),
            "drops": np.maximum(-gain, 0.0).sum(1),
            "power": (gain**2).sum(1),
        }
