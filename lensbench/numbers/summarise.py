"""Cells and averages, computed from item records."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace

import numpy as np

from lensbench.numbers.average import Average, average
from lensbench.numbers.cell import Cell
from lensbench.numbers.corpus import corpus_numbers
from lensbench.numbers.headline import headline_series
from lensbench.numbers.pair import DRAWS, SEED, SourceItems, Tested, line_up, test_pairs
from lensbench.numbers.read_metrics import MetricSeries, read_metrics
from lensbench.numbers.signature import RunIdentity, cell_signature
from lensbench.numbers.verdict import make_verdict
from lensbench.records import RunFolder, TaskKey
from lensbench.spec import BASE
from lensbench.stats import Interval, bootstrap_means, clustered_errors, holm, wilson

__all__ = ["Summary", "summarise", "summary"]


@dataclass(frozen=True)
class Summary:
    """All numbers of a run.

    Attributes:
        unnamed: `TASK/LANGUAGE` -> items that name no source item, each a cluster of its own.
        gaps: What has no number, and why.
    """

    cells: list[Cell]
    averages: list[Average]
    unnamed: dict[str, int]
    gaps: list[str] = field(default_factory=list)


def summarise(folder: RunFolder) -> list[Cell]:
    """All cells of a run, from its records only."""
    return _cells(list(read_metrics(folder)), SourceItems.of(folder), RunIdentity(folder))


def summary(folder: RunFolder) -> Summary:
    """All cells and averages of a run, from its records only."""
    series, sources, made = list(read_metrics(folder)), SourceItems.of(folder), RunIdentity(folder)
    means = [one for one in headline_series(series) if not one.statistics]
    gaps = dict.fromkeys(
        f"{one.metric.name} of {one.key}: it is of the corpus, and no installed package computes it"
        for one in series
        if one.statistics and one.metric.corpus is None
    )
    return Summary(_cells(series, sources, made), average(means, sources, made), dict(sources.unnamed), list(gaps))


def _cells(series: list[MetricSeries], sources: SourceItems, made: RunIdentity) -> list[Cell]:
    headline = {id(one) for one in headline_series(series)}
    together: dict[tuple[TaskKey, str, str], list[MetricSeries]] = defaultdict(list)
    for one in series:
        together[one.key, one.grader, one.metric.name].append(one)
    cells: list[Cell] = []
    tests: list[Tested | None] = []
    for variants in together.values():
        for cell, tested in _one_metric(variants, sources, made):
            cells.append(cell)
            tests.append(tested if id(variants[0]) in headline else None)
    cells = _adjusted(cells, tests)
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


def _one_metric(series: list[MetricSeries], sources: SourceItems, made: RunIdentity) -> list[tuple[Cell, Tested | None]]:
    """The cells of one metric of one task in one language: all variants share the bootstrap's draws."""
    if any(one.statistics for one in series):
        return _over_corpus(series, sources, made)
    values, clusters = line_up(series, sources.cluster)
    base = next((row for row, one in enumerate(series) if one.variant == BASE), None)
    if not values.size:
        return [(_cell(one, made, 0, None, None), None) for one in series]
    differences = values - (values[base] if base is not None else np.nan)
    found = bootstrap_means(np.concatenate([values, differences]), clusters, draws=DRAWS, seed=SEED)
    errors = clustered_errors(differences, clusters)
    cells = []
    for row, one in enumerate(series):
        paired = len(series) + row
        tested = None
        delta = None
        if base is not None and row != base and not np.isnan(found.value[paired]):
            delta = Interval(found.value[paired], found.low[paired], found.high[paired])
            tested = test_pairs(values[row], values[base], clusters, float(errors[row]))
        there = ~np.isnan(values[row])
        level = None
        if there.any():
            level = Interval(found.value[row], found.low[row], found.high[row])
            single = len(np.unique(clusters[there])) == there.sum()
            if one.metric.unit.proportion and single and np.isin(values[row][there], (0.0, 1.0)).all():
                level = wilson(values[row][there])
        cells.append((_cell(one, made, int(found.clusters[row]), level, delta), tested))
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


def _adjusted(cells: list[Cell], tests: list[Tested | None]) -> list[Cell]:
    """With p-values: adjusted within each variant, with what a family of that size can detect, and with the verdict."""
    done = list(cells)
    for variant in {cell.variant for cell in cells}:
        family = [(i, t) for i, t in enumerate(tests) if t is not None and cells[i].variant == variant]
        adjusted = holm(np.array([tested.p_value for _, tested in family]))
        for (i, tested), p_holm in zip(family, adjusted, strict=True):
            done[i] = replace(
                cells[i],
                test=tested.test,
                p_value=tested.p_value,
                p_holm=float(p_holm),
                smallest_detectable=tested.detectable(len(family)),
                verdict=make_verdict(float(p_holm), cells[i].delta_low, cells[i].delta_high, cells[i].higher_is_better),
            )
    return done


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
        value=_known(level.value) if level else None,
        n=n,
        failures=series.failures,
        low=_known(level.low) if level else None,
        high=_known(level.high) if level else None,
        delta=_known(delta.value) if delta else None,
        delta_low=_known(delta.low) if delta else None,
        delta_high=_known(delta.high) if delta else None,
        signature=cell_signature(made, series, n, clusters),
        states=dict(series.states),
        planned=series.planned,
        picks=tuple(picked[choice] for choice in range(max(picked) + 1)) if picked else (),
        clusters=clusters,
        test=None,
        p_value=None,
        p_holm=None,
        smallest_detectable=None,
        tied=series.tied,
        higher_is_better=series.metric.higher_is_better,
    )


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
