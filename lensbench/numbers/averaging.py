"""The averages of a run, from the scores of its items."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lensbench.numbers.average import Average
from lensbench.numbers.average_groups import AverageGroup
from lensbench.numbers.average_scores import GroupScores, grouped_series
from lensbench.numbers.english import with_retention
from lensbench.numbers.gate import gate
from lensbench.numbers.leaders import leaders
from lensbench.numbers.pair import DRAWS, SEED, SourceItems, known, right_or_wrong
from lensbench.numbers.pairs import Pair, pairs_of
from lensbench.numbers.read_metrics import MetricSeries
from lensbench.numbers.seed_groups import SeedGroup, seed_groups_of
from lensbench.numbers.seed_settings import SeedSetting
from lensbench.numbers.signature import RunIdentity, average_signature
from lensbench.spec import BASE
from lensbench.stats import ALPHA, clustered_errors, level_intervals, paired_intervals, sign_flip

__all__ = ["Averages", "average"]

_MOST_DRAWS = 200_000


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
    left_out: Collection[str] = (),
) -> Averages:
    """All averages of a run.

    Args:
        series: Of headline metrics that are means over items.
        margins: See `lensbench.numbers.english`.
        settings: Those with several seeds.
        left_out: Variants that were tried and not chosen: they have numbers, and no tests, verdicts or pairs.
    """
    groups = grouped_series(series, sources)
    variants = list(made.about["variants"])
    draws = _draws([group for group, _ in groups], len(variants) - len(left_out))
    found: list[Average] = []
    errors: list[float] = []
    pairs: list[Pair] = []
    seeds: list[SeedGroup] = []
    for group, table in groups:
        scores = GroupScores.of(group, table, sources, variants)
        if scores is None:
            continue
        binary = group.metric.unit.proportion and right_or_wrong(scores.values)
        for entry, error in _averaged(group, scores, sources, made, left_out, binary=binary, draws=draws):
            found.append(with_retention(entry, margins))
            errors.append(error)
        seeds += seed_groups_of(group, settings, scores.variants, scores.values, scores.clusters, scores.cells, binary=binary)
        if group.role == "endpoint":
            told = [row for row, name in enumerate(scores.variants) if name not in left_out]
            names = [scores.variants[row] for row in told]
            pairs += pairs_of(
                group, names, scores.values[told], scores.clusters, scores.cells, binary=binary, draws=DRAWS, seed=SEED
            )
    return Averages(gate(found, errors, left_out), pairs, seeds)


def _draws(groups: Sequence[AverageGroup], variants: int) -> int:
    """Sign patterns of the tests: enough that the smallest p-value they can give passes the strictest step of the procedure."""
    endpoints = max(1, sum(group.role == "endpoint" for group in groups) * max(variants - 1, 1))
    languages = max((len({key.language for key in group.keys}) for group in groups), default=1)
    return min(_MOST_DRAWS, max(DRAWS, int(8 * endpoints * languages / ALPHA)))


def _averaged(
    group: AverageGroup,
    scores: GroupScores,
    sources: SourceItems,
    made: RunIdentity,
    left_out: Collection[str],
    *,
    binary: bool,
    draws: int,
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
    level = np.where([name in left_out for name in scores.variants], np.nan, levels.value)
    first = leaders(scores.variants, values, level, scores.clusters, metric.higher_is_better, **within)
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
