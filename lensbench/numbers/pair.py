"""Series side by side: the arrays that statistics take, with items lined up and the source item of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lensbench.numbers.read_metrics import MetricSeries
from lensbench.records import ItemRecord, RunFolder, TaskKey
from lensbench.stats import detectable_mean, detectable_share, mcnemar_exact, sign_flip

__all__ = ["DRAWS", "SEED", "SourceItems", "Tested", "known", "line_up", "right_or_wrong", "test_pairs"]

DRAWS = 10_000
SEED = 12345


@dataclass
class SourceItems:
    """Which cluster every item belongs to.

    Attributes:
        clusters: Item -> label. The source item where the record names one, else the item itself by task, language and row
            number.
        unnamed: `TASK/LANGUAGE` -> items that name no source item.
        keys: The tasks in the order in which they were asked.
    """

    clusters: dict[str, str] = field(default_factory=dict)
    unnamed: Counter[str] = field(default_factory=Counter)
    keys: dict[TaskKey, None] = field(default_factory=dict)

    @classmethod
    def of(cls, folder: RunFolder) -> SourceItems:
        found = cls()
        for record in folder.records(ItemRecord):
            where = str(record.task_key)
            found.keys[record.task_key] = None
            if record.source is not None:
                found.clusters[record.key] = f"source {record.source}"
            else:
                found.unnamed[where] += 1
                found.clusters[record.key] = f"item {where} {record.key if record.doc_id is None else record.doc_id}"
        return found

    def cluster(self, item: str) -> str:
        return self.clusters.get(item, f"item {item}")


def known(value: float) -> float | None:
    """A number of a column; None where it is NaN, so that there is none."""
    return None if np.isnan(value) else float(value)


def right_or_wrong(values: NDArray[Any]) -> bool:
    """Whether every value that is there is 0 or 1."""
    return bool(np.isin(values[~np.isnan(values)], (0.0, 1.0)).all())


def line_up(series: Sequence[MetricSeries], cluster: Callable[[str], str]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Series of one cell over the union of their items.

    Args:
        cluster: Item -> label of its cluster.

    Returns:
        `values [series, items]`, NaN where a series has none, and `clusters [items]`.
    """
    places = {place: None for one in series for place in one.values}
    index = {place: number for number, place in enumerate(places)}
    values = np.full((len(series), len(places)), np.nan)
    for row, one in enumerate(series):
        for place, value in one.values.items():
            values[row, index[place]] = value
    return values, np.array([cluster(item) for item, _ in places], dtype=str)


@dataclass(frozen=True)
class Tested:
    """One paired difference under its null hypothesis.

    Attributes:
        test: "mcnemar", "sign-flip" or "swap".
        differing: Share of the pairs that differ.
        error: Standard error, clustered.
    """

    p_value: float
    test: str
    pairs: int
    differing: float
    error: float

    def detectable(self, tests: int) -> float | None:
        """The smallest difference found in four cases of five, in a family of so many tests."""
        if self.test == "mcnemar":
            return detectable_share(self.pairs, self.differing, tests=tests)
        return detectable_mean(self.error, tests=tests)


def test_pairs(variant: NDArray[Any], base: NDArray[Any], clusters: NDArray[Any], error: float) -> Tested | None:
    """The test of a cell: McNemar's where every pair is 0/1 and a cluster of its own, else a sign flip by clusters.

    Args:
        variant, base, clusters: `[items]`, NaN where one has no value.
        error: Standard error of the mean difference.

    Returns:
        None without a pair.
    """
    both = ~np.isnan(variant - base)
    if not both.any():
        return None
    pairs = int(both.sum())
    scores = np.concatenate([variant[both], base[both]])
    difference = (variant - base)[both]
    if right_or_wrong(scores) and len(np.unique(clusters[both])) == pairs:
        wins, losses = int((difference > 0).sum()), int((difference < 0).sum())
        return Tested(mcnemar_exact(wins, losses), "mcnemar", pairs, (wins + losses) / pairs, error)
    p_value = float(sign_flip(difference[None], clusters[both], draws=DRAWS, seed=SEED)[0])
    return Tested(p_value, "sign-flip", pairs, float(np.mean(difference != 0)), error)
