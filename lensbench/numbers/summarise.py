"""Cells and averages, computed from item records."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from lensbench.numbers.average import Average
from lensbench.numbers.average_scores import grouped_series
from lensbench.numbers.averaging import average
from lensbench.numbers.cell import Cell
from lensbench.numbers.corpus import corpus_numbers
from lensbench.numbers.fitted_variants import fitted_variants
from lensbench.numbers.headline import headline_series
from lensbench.numbers.leaders import leaders
from lensbench.numbers.margins import read_margins
from lensbench.numbers.pair import SourceItems, Tested, known, line_up, right_or_wrong, test_pairs
from lensbench.numbers.pairs import Pair, not_compared
from lensbench.numbers.picking.choose import Side, choose
from lensbench.numbers.picking.kept import read_pick
from lensbench.numbers.picking.picked import Picked
from lensbench.numbers.picking.reported import reported_part
from lensbench.numbers.picking.sides import sides_of
from lensbench.numbers.read_metrics import MetricSeries, read_metrics
from lensbench.numbers.seed_groups import SeedGroup
from lensbench.numbers.seed_settings import fitted_settings, seed_settings
from lensbench.numbers.signature import RunIdentity, cell_signature
from lensbench.numbers.verdict import EXPLORATORY
from lensbench.records import ItemRecord, RunFolder, TaskKey
from lensbench.records.part_of_run import PartOfRun
from lensbench.spec import BASE
from lensbench.stats import Interval, clustered_errors, level_intervals, paired_intervals

__all__ = ["Summary", "summarise", "summary"]


@dataclass(frozen=True)
class Summary:
    """All numbers of a run.

    Attributes:
        unnamed: `TASK/LANGUAGE` -> items that name no source item, each a cluster of its own.
        pairs: Enhanced variants against each other, on the endpoints.
        seed_groups: Settings with several seeds, on every endpoint, language and in English.
        margins: Question of an endpoint -> loss in English that counts as none.
        gaps: What has no number, and why.
        picked: The choice of a setting of each method; None of a run without a rule. All other numbers are of test items then.
    """

    cells: list[Cell]
    averages: list[Average]
    pairs: list[Pair]
    seed_groups: list[SeedGroup]
    margins: Mapping[str, float]
    unnamed: dict[str, int]
    gaps: list[str] = field(default_factory=list)
    picked: Picked | None = None


def summarise(folder: RunFolder) -> list[Cell]:
    """All cells of a run, from its records only."""
    return _cells(list(read_metrics(folder)), SourceItems.of(folder), RunIdentity(folder))


def summary(folder: RunFolder) -> Summary:
    """All cells and averages of a run, from its records only.

    Of a run with a rule for the choice of settings (`lensbench.numbers.picking`), they are of the test items, and settings that
    were not chosen have no verdicts.
    """
    margins, rule = read_margins(folder), read_pick(folder)
    shown = reported_part(folder)
    series, sources, made = list(read_metrics(shown)), SourceItems.of(shown), RunIdentity(folder)
    means = _means(series)
    picked = None
    if rule is not None:
        sides = sides_of(folder.records(ItemRecord), rule.rule)
        choosing = PartOfRun(folder, sides.development)
        settings, variants = fitted_settings(folder), list(made.about["variants"])
        configs = {one.name: one.config or {} for one in fitted_variants(folder)}
        before = SourceItems.of(choosing)
        development = Side(grouped_series(_means(list(read_metrics(choosing))), before), before, variants)
        test = Side(grouped_series(means, sources), sources, variants)
        picked = choose(rule, settings, configs, development, test, margins, sides.counts)
    left_out = frozenset(picked.left_out if picked is not None else ())
    gaps = dict.fromkeys(
        f"{one.metric.name} of {one.key}: it is of the corpus, and no installed package computes it"
        for one in series
        if one.statistics and one.metric.corpus is None
    )
    too_many = not_compared([name for name in made.about["variants"] if name not in left_out])
    if too_many is not None:
        gaps[too_many] = None
    seeds = [one for one in seed_settings(folder) if not left_out.issuperset(one.variants)]
    averages = average(means, sources, made, margins, seeds, left_out)
    cells = _cells(series, sources, made, left_out)
    return Summary(
        cells, averages.averages, averages.pairs, averages.seed_groups, margins, dict(sources.unnamed), list(gaps), picked
    )


def _means(series: list[MetricSeries]) -> list[MetricSeries]:
    return [one for one in headline_series(series) if not one.statistics]


def _cells(series: list[MetricSeries], sources: SourceItems, made: RunIdentity, left_out: Collection[str] = ()) -> list[Cell]:
    headline = {id(one) for one in headline_series(series)}
    together: dict[tuple[TaskKey, str, str], list[MetricSeries]] = defaultdict(list)
    for one in series:
        together[one.key, one.grader, one.metric.name].append(one)
    cells = [
        _tested(cell, tested if id(variants[0]) in headline else None)
        for variants in together.values()
        for cell, tested in _one_metric(variants, sources, made, left_out)
    ]
    keys = {key: index for index, key in enumerate(sources.keys)}
    metrics = {metric: index for index, metric in enumerate(dict.fromkeys(one.metric.name for one in series))}
    names = list(made.about["variants"])
    cells.sort(
        key=lambda c: (
            keys.get(TaskKey(c.task, c.language, c.profile), len(keys)),
            metrics[c.metric],
            c.source,
            names.index(c.variant),
        )
    )
    return cells


def _one_metric(
    series: list[MetricSeries], sources: SourceItems, made: RunIdentity, left_out: Collection[str]
) -> list[tuple[Cell, Tested | None]]:
    """The cells of one metric of one task in one language: all variants side by side.

    Args:
        left_out: Variants that lead nowhere: settings that were tried and not chosen.
    """
    if any(one.statistics for one in series):
        return _over_corpus(series, sources, made)
    values, clusters = line_up(series, sources.cluster)
    base = next((row for row, one in enumerate(series) if one.variant == BASE), None)
    if not values.size:
        return [(_cell(one, made, 0, None, None), None) for one in series]
    metric = series[0].metric
    differences = values - (values[base] if base is not None else np.nan)
    binary = metric.unit.proportion and right_or_wrong(values)
    levels = level_intervals(values, clusters, binary=binary)
    gains = paired_intervals(differences, clusters, binary=binary)
    errors = clustered_errors(differences, clusters)
    ranked = np.where([one.variant in left_out for one in series], np.nan, levels.value)
    first = leaders([one.variant for one in series], values, ranked, clusters, metric.higher_is_better)
    cells = []
    for row, one in enumerate(series):
        tested = None
        delta = None
        if base is not None and row != base and not np.isnan(gains.value[row]):
            delta = Interval(gains.value[row], gains.low[row], gains.high[row])
            tested = test_pairs(values[row], values[base], clusters, float(errors[row]))
        level = None
        if not np.isnan(levels.value[row]):
            level = Interval(levels.value[row], levels.low[row], levels.high[row])
        cell = _cell(one, made, int(levels.clusters[row]), level, delta)
        if tested is not None:
            cell = replace(cell, pairs=tested.pairs, differing=round(tested.differing * tested.pairs))
        cells.append((replace(cell, leads=first.get(one.variant, ())), tested))
    return cells


def _over_corpus(series: list[MetricSeries], sources: SourceItems, made: RunIdentity) -> list[tuple[Cell, Tested | None]]:
    """The same of a metric of the corpus; without a number where the package that computes it is not installed."""
    corpus = series[0].metric.corpus
    if corpus is None:
        return [(_cell(one, made, 0, None, None), None) for one in series]
    found = corpus_numbers(series, corpus, sources.cluster)
    return [
        (_cell(one, made, clusters, level, delta), tested)
        for one, (level, clusters, delta, tested) in zip(series, found, strict=True)
    ]


def _tested(cell: Cell, tested: Tested | None) -> Cell:
    """With the p-value of its test, what that test detects by itself, and the word that it is no verdict."""
    if tested is None:
        return cell
    return replace(cell, test=tested.test, p_value=tested.p_value, smallest_detectable=tested.detectable(1), verdict=EXPLORATORY)


def _cell(series: MetricSeries, made: RunIdentity, clusters: int, level: Interval | None, delta: Interval | None) -> Cell:
    picked = series.picks
    n = series.states.total()
    return Cell(
        series.key.task,
        series.key.language,
        series.key.profile,
        series.variant,
        series.metric.name,
        series.metric.unit.name,
        series.grader,
        value=known(level.value) if level else None,
        n=n,
        failures=series.failures,
        low=known(level.low) if level else None,
        high=known(level.high) if level else None,
        delta=known(delta.value) if delta else None,
        delta_low=known(delta.low) if delta else None,
        delta_high=known(delta.high) if delta else None,
        signature=cell_signature(made, series, n, clusters),
        states=dict(series.states),
        planned=series.planned,
        picks=tuple(picked[choice] for choice in range(max(picked) + 1)) if picked else (),
        clusters=clusters,
        test=None,
        p_value=None,
        smallest_detectable=None,
        tied=series.tied,
        chance=series.chance,
        repeats=series.repeats,
        higher_is_better=series.metric.higher_is_better,
    )
