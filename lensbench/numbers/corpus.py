"""Corpus metrics: their value, difference to `base` and test, from the sums of their statistics."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lensbench.metrics import Corpus
from lensbench.numbers.pair import DRAWS, SEED, Tested
from lensbench.numbers.read_metrics import MetricSeries
from lensbench.spec import BASE
from lensbench.stats import Interval, corpus_interval, corpus_pair

__all__ = ["CorpusNumber", "corpus_numbers"]

CorpusNumber = tuple[Interval | None, int, Interval | None, Tested | None]
"""Value, source items in it, difference to `base`, and its test."""


def corpus_numbers(series: Sequence[MetricSeries], corpus: Corpus, cluster: Callable[[str], str]) -> list[CorpusNumber]:
    """The numbers of every variant in one metric of one task in one language.

    Args:
        cluster: Item -> label of its cluster.
    """
    places = list({place: None for one in series for place in one.statistics})
    clusters = np.array([cluster(item) for item, _ in places], dtype=str)
    statistics = [_statistics(one, places) for one in series]
    base = next((found for one, found in zip(series, statistics, strict=True) if one.variant == BASE), None)
    return [
        _number(found, None if one.variant == BASE else base, clusters, corpus)
        for one, found in zip(series, statistics, strict=True)
    ]


def _number(statistics: NDArray[Any], base: NDArray[Any] | None, clusters: NDArray[Any], corpus: Corpus) -> CorpusNumber:
    value, low, high = corpus_interval(statistics, clusters, corpus.compute, draws=DRAWS, seed=SEED)
    there = ~np.isnan(statistics).any(1)
    level = Interval(value, low, high) if there.any() else None
    pair = None if base is None else corpus_pair(statistics, base, clusters, corpus.compute, draws=DRAWS, seed=SEED)
    if pair is None or base is None:
        return level, len(np.unique(clusters[there])), None, None
    differing = (statistics != base).any(1)[there & ~np.isnan(base).any(1)]
    tested = Tested(pair.p_value, "swap", pair.pairs, float(differing.mean()), pair.error)
    return level, len(np.unique(clusters[there])), Interval(pair.difference, pair.low, pair.high), tested


def _statistics(series: MetricSeries, places: Sequence[tuple[str, int]]) -> NDArray[Any]:
    """`[items, statistics]`, NaN where the variant has none."""
    width = len(next(iter(series.statistics.values()), ()))
    missing = (np.nan,) * max(width, 1)
    return np.array([series.statistics.get(place, missing) for place in places], dtype=np.float64).reshape(len(places), -1)
