"""The averages of a run, from the scores of its items."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lensbench.metrics import Metric
from lensbench.numbers.average import Average
from lensbench.numbers.average_groups import AverageGroup, average_groups
from lensbench.numbers.english import with_retention
from lensbench.numbers.gate import gate
from lensbench.numbers.leaders import leaders
from lensbench.numbers.pair import DRAWS, SEED, SourceItems, known, right_or_wrong
from lensbench.numbers.pairs import Pair, pairs_of
from lensbench.numbers.read_metrics import MetricSeries
from lensbench.numbers.seed_groups import SeedGroup, seed_groups_of
from lensbench.numbers.seed_settings import SeedSetting
from lensbench.numbers.signature import RunIdentity, average_signature
from lensbench.records import TaskKey
from lensbench.spec import BASE
from lensbench.stats import ALPHA, clustered_errors, level_intervals, paired_intervals, sign_flip

__all__ = ["Averages", "average"]

_MOST_DRAWS = 200_000

_Table = Mapping[TaskKey, Mapping[str, MetricSeries]]
"""Task -> variant -> its series."""


@dataclass(frozen=True)
class Averages:
    """The averages of a run, its variants against each other on every endpoint, and its settings with several seeds."""

    averages: list[Average]
    pairs: list[Pair]
    seed_groups: list[SeedGroup]


def average(
    series: Sequence[MetricSeries],
    sources: SourceItems,
    made: RunIdentity,
    margins: Mapping[str, float],
    settings: Sequence[SeedSetting],
) -> Averages:
    """All averages of a run.

    Args:
        series: Of headline metrics that are means over items.
        margins: See `lensbench.numbers.english`.
        settings: Those with several seeds.
    """
    tables: dict[tuple[str, str, str, bool | None], dict[TaskKey, dict[str, MetricSeries]]] = defaultdict(
        lambda: defaultdict(dict)
    )
    for one in series:
        key = (one.key.profile, one.metric.name, one.grader, one.metric.higher_is_better)
        tables[key][one.key][one.variant] = one
    groups: list[tuple[AverageGroup, _Table]] = []
    for (profile, _, grader, _), own in tables.items():
        asked = [key for key in sources.keys if key in own]
        groups += [(group, own) for group in average_groups(profile, _metric(own), grader, asked)]
    variants = list(made.about["variants"])
    draws = _draws([group for group, _ in groups], len(variants))
    found: list[Average] = []
    errors: list[float] = []
    pairs: list[Pair] = []
    seeds: list[SeedGroup] = []
    for group, table in groups:
        scores = _Scores.of(group, table, sources, variants)
        if scores is None:
            continue
        binary = group.metric.unit.proportion and right_or_wrong(scores.values)
        for entry, error in _averaged(group, scores, sources, made, binary=binary, draws=draws):
            found.append(with_retention(entry, margins))
            errors.append(error)
        seeds += seed_groups_of(group, settings, scores.variants, scores.values, scores.clusters, scores.cells, binary=binary)
        if group.role == "endpoint":
            pairs += pairs_of(
                group, scores.variants, scores.values, scores.clusters, scores.cells, binary=binary, draws=DRAWS, seed=SEED
            )
    return Averages(gate(found, errors), pairs, seeds)


def _metric(table: _Table) -> Metric:
    return next(one.metric for own in table.values() for one in own.values())


def _draws(groups: Sequence[AverageGroup], variants: int) -> int:
    """Sign patterns of the tests: enough that the smallest p-value they can give passes the strictest step of the procedure."""
    endpoints = max(1, sum(group.role == "endpoint" for group in groups) * max(variants - 1, 1))
    languages = max((len({key.language for key in group.keys}) for group in groups), default=1)
    return min(_MOST_DRAWS, max(DRAWS, int(8 * endpoints * languages / ALPHA)))


@dataclass(frozen=True)
class _Scores:
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
    def of(cls, group: AverageGroup, table: _Table, sources: SourceItems, variants: Sequence[str]) -> _Scores | None:
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


def _joined(group: AverageGroup, table: _Table, variant: str) -> dict[tuple[int, str, int], float]:
    """(cell, item, turn) -> value."""
    return {
        (number, item, turn): value
        for number, key in enumerate(group.keys)
        if variant in table[key]
        for (item, turn), value in table[key][variant].values.items()
    }


def _averaged(
    group: AverageGroup, scores: _Scores, sources: SourceItems, made: RunIdentity, *, binary: bool, draws: int
) -> list[tuple[Average, float]]:
    """One average of every variant that has any of its cells, with the standard error of its difference."""
    values, weights, metric = scores.values, group.weights, group.metric
    base = values[scores.variants.index(BASE)] if BASE in scores.variants else np.full(values.shape[1], np.nan)
    differences = values - base
    within = {"cells": scores.cells, "weights": weights}
    levels = level_intervals(values, scores.clusters, binary=binary, **within)
    gains = paired_intervals(differences, scores.clusters, binary=binary, **within)
    errors = clustered_errors(differences, scores.clusters, **within)
    p_values = sign_flip(differences, scores.clusters, draws=draws, seed=SEED, **within)
    first = leaders(scores.variants, values, levels.value, scores.clusters, metric.higher_is_better, **within)
    cells = [str(key) for key in group.keys]
    found = []
    for row, variant in enumerate(scores.variants):
        paired = variant != BASE
        n = int((~np.isnan(values[row])).sum())
        entry = Average(
            group.role,
            group.over,
            group.task,
            group.language,
            group.profile,
            variant,
            metric.name,
            metric.unit.name,
            group.grader,
            tuple(cells),
            value=known(levels.value[row]),
            n=n,
            clusters=int(levels.clusters[row]),
            unnamed=sum(sources.unnamed[cell] for cell in cells),
            low=known(levels.low[row]),
            high=known(levels.high[row]),
            delta=known(gains.value[row]) if paired else None,
            delta_low=known(gains.low[row]) if paired else None,
            delta_high=known(gains.high[row]) if paired else None,
            p_value=known(p_values[row]) if paired else None,
            p_holm=None,
            smallest_detectable=None,
            signature=average_signature(
                made, variant, name=group.name, cells=cells, n=n, metric=metric, grader=group.grader, draws=draws
            ),
            higher_is_better=metric.higher_is_better,
            leads=first.get(variant, ()),
            pairs=int((~np.isnan(differences[row])).sum()) if paired else None,
            differing=int((np.nan_to_num(differences[row]) != 0).sum()) if paired else None,
        )
        found.append((entry, float(errors[row])))
    return found
