"""Values over items summed by cluster, and clusters drawn with replacement.

An *item* is one value of one variant. A *cluster* is what could have been another: the source item, which a data set may have in
several languages, or a question that was graded several times. A *cell* is one number of a table, and holds some of the items.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Stratum", "draw_clusters", "draw_counts", "gather"]

_CHUNK = 2**20
"""Random numbers drawn at a time; bounds the memory for any number of draws."""


@dataclass(frozen=True)
class Stratum:
    """Cells that share clusters with each other and with no other cell.

    Attributes:
        cells: `[cells]`, their numbers.
        sums: `[columns, cells, clusters]`, sum of the values.
        counts: `[columns, cells, clusters]`, number of values.
    """

    cells: NDArray[Any]
    sums: NDArray[Any]
    counts: NDArray[Any]

    @property
    def clusters(self) -> int:
        return int(self.sums.shape[2])


def gather(values: NDArray[Any], clusters: NDArray[Any], cells: NDArray[Any] | None = None) -> list[Stratum]:
    """Values summed by cluster, in strata that are drawn independently.

    Clusters are sorted by their label, so the order of the items does not matter.

    Args:
        values: `[columns, items]`, NaN where an item has no value.
        clusters: `[items]`, label of the cluster each item belongs to.
        cells: `[items]`, number of the cell each belongs to, from 0; None: all are of one.

    Raises:
        ValueError: no items, or unlike lengths.
    """
    values = np.asarray(values, dtype=np.float64)
    clusters = np.asarray(clusters)
    cells = np.zeros(len(clusters), dtype=np.int64) if cells is None else np.asarray(cells)
    if values.ndim != 2 or values.shape[1] == 0 or values.shape[1] != len(clusters) or len(clusters) != len(cells):
        raise ValueError("needs values [columns, items], and as many clusters and cells as items, at least one")
    labels, place = np.unique(clusters, return_inverse=True)
    strata = []
    for together in _connected(place, cells, len(labels)):
        inside = np.isin(cells, together)
        own, cluster = np.unique(place[inside], return_inverse=True)
        slot = np.searchsorted(together, cells[inside]) * len(own) + cluster
        shape = (len(together), len(own))
        there = ~np.isnan(values[:, inside])
        filled = np.where(there, values[:, inside], 0.0)
        size = len(together) * len(own)
        sums = np.stack([np.bincount(slot, weights=row, minlength=size).reshape(shape) for row in filled])
        counts = np.stack([np.bincount(slot, weights=row, minlength=size).reshape(shape) for row in there.astype(np.float64)])
        strata.append(Stratum(together, sums, counts))
    return strata


def _connected(place: NDArray[Any], cells: NDArray[Any], clusters: int) -> list[NDArray[Any]]:
    """Cells by stratum: two cells are together if they share a cluster, directly or through other cells."""
    numbers = np.unique(cells)
    root = {int(cell): int(cell) for cell in numbers}

    def find(cell: int) -> int:
        while root[cell] != cell:
            cell = root[cell]
        return cell

    first = np.full(clusters, -1)
    for cell in numbers:
        own = np.unique(place[cells == cell])
        for other in np.unique(first[own]):
            if other >= 0:
                low, high = sorted((find(int(cell)), find(int(other))))
                root[high] = low
        first[own] = np.where(first[own] < 0, cell, first[own])
    found: dict[int, list[int]] = {}
    for cell in numbers:
        found.setdefault(find(int(cell)), []).append(int(cell))
    return [np.array(together) for _, together in sorted(found.items())]


def draw_clusters(clusters: int, draws: int, seed: int) -> Iterator[NDArray[Any]]:
    """Samples of as many clusters as there are, with replacement: `[some draws, clusters]` numbers, until all draws are made."""
    rng = np.random.default_rng(seed)
    step = max(1, _CHUNK // clusters)
    for start in range(0, draws, step):
        yield rng.integers(0, clusters, size=(min(step, draws - start), clusters))


def draw_counts(clusters: int, draws: int, seed: int) -> Iterator[NDArray[Any]]:
    """The samples of `draw_clusters` as how often each cluster was drawn: `[some draws, clusters]`."""
    for drawn in draw_clusters(clusters, draws, seed):
        rows = len(drawn)
        flat = (drawn + np.arange(rows)[:, None] * clusters).ravel()
        yield np.bincount(flat, minlength=rows * clusters).reshape(rows, clusters).astype(np.float64)
