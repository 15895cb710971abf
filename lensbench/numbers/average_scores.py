"""The scores behind the averages of a run: which cells are averaged, and every variant's value on each of their items."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lensbench.metrics import Metric
from lensbench.numbers.average_groups import AverageGroup, average_groups
from lensbench.numbers.pair import SourceItems
from lensbench.numbers.read_metrics import MetricSeries
from lensbench.records import TaskKey

__all__ = ["GroupScores", "grouped_series"]

SeriesTable = Mapping[TaskKey, Mapping[str, MetricSeries]]
"""Task -> variant -> its series."""


def grouped_series(series: Sequence[MetricSeries], sources: SourceItems) -> list[tuple[AverageGroup, SeriesTable]]:
    """Every average of a run with the series of its cells.

    Args:
        series: Of headline metrics that are means over items.
    """
    tables: dict[tuple[str, str, str, bool | None], dict[TaskKey, dict[str, MetricSeries]]] = defaultdict(
        lambda: defaultdict(dict)
    )
    for one in series:
        key = (one.key.profile, one.metric.name, one.grader, one.metric.higher_is_better)
        tables[key][one.key][one.variant] = one
    groups: list[tuple[AverageGroup, SeriesTable]] = []
    for (profile, _, grader, _), own in tables.items():
        asked = [key for key in sources.keys if key in own]
        groups += [(group, own) for group in average_groups(profile, _metric(own), grader, asked)]
    return groups


def _metric(table: SeriesTable) -> Metric:
    return next(one.metric for own in table.values() for one in own.values())


@dataclass(frozen=True)
class GroupScores:
    """The scores behind one average.

    Attributes:
        values: `[variants, items]`, NaN where a variant has none.
        clusters, cells: `[items]`, source item and number of the cell of each.
    """

    variants: list[str]
    values: NDArray[Any]
    clusters: NDArray[Any]
    cells: NDArray[Any]

    @classmethod
    def of(cls, group: AverageGroup, table: SeriesTable, sources: SourceItems, variants: Sequence[str]) -> GroupScores | None:
        """None where there is no score at all."""
        own = [name for name in variants if any(name in table[key] for key in group.keys)]
        rows = [_joined(group, table, variant) for variant in own]
        place = {key: number for number, key in enumerate(dict.fromkeys(key for row in rows for key in row))}
        if not place:
            return None
        values = np.full((len(own), len(place)), np.nan)
        for number, scores in enumerate(rows):
            for key, value in scores.items():
                values[number, place[key]] = value
        cells = np.array([cell for cell, _, _ in place], dtype=np.int64)
        # A cell in which no variant has a score leaves nobody with an average.
        if len(np.unique(cells)) < len(group.keys):
            values[:] = np.nan
        return cls(own, values, np.array([sources.cluster(item) for _, item, _ in place], dtype=str), cells)


def _joined(group: AverageGroup, table: SeriesTable, variant: str) -> dict[tuple[int, str, int], float]:
    """(cell, item, turn) -> value."""
    return {
        (number, item, turn): value
        for number, key in enumerate(group.keys)
        if variant in table[key]
        for (item, turn), value in table[key][variant].values.items()
    }
