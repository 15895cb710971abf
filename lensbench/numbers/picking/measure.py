"""Numbers of settings on one side of a run's items: the mean over the seeds of each, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lensbench.numbers.average_groups import AverageGroup
from lensbench.numbers.average_scores import GroupScores
from lensbench.numbers.english import retention
from lensbench.numbers.pair import known, right_or_wrong
from lensbench.numbers.picking.picked import EnglishNumbers, SideNumbers
from lensbench.numbers.seed_settings import SeedSetting
from lensbench.spec import BASE
from lensbench.stats import Interval, level_intervals, paired_intervals, two_way_intervals

__all__ = ["Measured", "english_of", "measure_settings"]


@dataclass(frozen=True)
class Measured:
    """One setting on one average.

    Attributes:
        of_items: The difference with the interval that covers the choice of items only: of these very fits. None without it.
    """

    numbers: SideNumbers
    of_items: Interval | None


def measure_settings(group: AverageGroup, scores: GroupScores | None, settings: Sequence[SeedSetting]) -> list[Measured]:
    """Every setting on one average; the numbers agree with those that averages and seed groups have of the same items.

    Args:
        scores: None where no item has a score.
    """
    if scores is None or not settings:
        return [Measured(SideNumbers(), None) for _ in settings]
    place = {name: row for row, name in enumerate(scores.variants)}
    values = np.full((len(settings), max(len(one.variants) for one in settings), scores.values.shape[1]), np.nan)
    for row, setting in enumerate(settings):
        for column, name in enumerate(setting.variants):
            if name in place:
                values[row, column] = scores.values[place[name]]
    base = scores.values[place[BASE]] if BASE in place else np.full(scores.values.shape[1], np.nan)
    differences = values - base
    share = group.metric.unit.proportion and right_or_wrong(scores.values)
    within: dict[str, Any] = {"cells": scores.cells, "weights": group.weights}
    levels = level_intervals(_mean(values), scores.clusters, binary=share & _only(_mean(values), (0.0, 1.0)), **within)
    both = two_way_intervals(differences, scores.clusters, binary=share, **within)
    of_items = _mean(differences)
    alone = paired_intervals(of_items, scores.clusters, binary=share & _only(of_items, (-1.0, 0.0, 1.0)), **within)
    found = []
    for row in range(len(settings)):
        several = int(both.seeds[row]) > 1
        low, high = (both.low[row], both.high[row]) if several else (alone.low[row], alone.high[row])
        numbers = SideNumbers(
            measured=int(both.seeds[row]),
            n=int((~np.isnan(values[row])).sum(-1).max()),
            clusters=int(levels.clusters[row]),
            value=known(levels.value[row]),
            low=known(levels.low[row]),
            high=known(levels.high[row]),
            delta=known(both.value[row]),
            delta_low=known(low),
            delta_high=known(high),
        )
        items = None if np.isnan(alone.low[row]) else Interval(alone.value[row], alone.low[row], alone.high[row])
        found.append(Measured(numbers, items))
    return found


def english_of(measured: Measured, higher_is_better: bool | None, margin: float | None) -> EnglishNumbers:
    """The numbers of an English average, with whether English was kept."""
    one = measured.numbers
    at_worst, kept = retention(one.delta_low, one.delta_high, higher_is_better, margin)
    return EnglishNumbers(one.measured, one.delta, one.delta_low, one.delta_high, at_worst, kept)


def _mean(values: NDArray[Any]) -> NDArray[Any]:
    """Mean over seeds, `[settings, items]`, of the seeds that have a value."""
    there = (~np.isnan(values)).sum(1)
    return np.asarray(np.where(there > 0, np.nansum(values, axis=1) / np.maximum(there, 1), np.nan))


def _only(values: NDArray[Any], allowed: Sequence[float]) -> NDArray[Any]:
    """Which rows have no other values."""
    return np.asarray((np.isin(values, allowed) | np.isnan(values)).all(-1))
