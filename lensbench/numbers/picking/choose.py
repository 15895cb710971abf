"""The choice itself: a setting of each method, from the development items, and what the test items say of every setting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lensbench.metrics import Metric
from lensbench.numbers.average_groups import AverageGroup
from lensbench.numbers.average_scores import GroupScores, SeriesTable
from lensbench.numbers.english import margin_of
from lensbench.numbers.pair import SourceItems
from lensbench.numbers.picking.kept import KeptRule
from lensbench.numbers.picking.measure import Measured, english_of, measure_settings
from lensbench.numbers.picking.picked import Admission, Candidate, MethodPick, Picked, SideNumbers
from lensbench.numbers.picking.rule import ENDPOINTS
from lensbench.numbers.picking.sides import SPLIT_VERSION, SplitCount
from lensbench.numbers.seed_settings import SeedSetting

__all__ = ["Side", "choose"]

_EQUAL = 1e-12
"""Means that differ by less are equal: the last bits of a mean depend on the order of its items."""


@dataclass(frozen=True)
class Side:
    """The series of one side of a run's items.

    Attributes:
        groups: Its averages with their series.
        variants: All variants of the run.
    """

    groups: Sequence[tuple[AverageGroup, SeriesTable]]
    sources: SourceItems
    variants: Sequence[str]

    def measure(self, like: AverageGroup | None, settings: Sequence[SeedSetting]) -> list[Measured]:
        """Settings on the average of this side that is like another one."""
        for group, table in self.groups if like is not None else ():
            if _same(group, like):
                return measure_settings(group, GroupScores.of(group, table, self.sources, self.variants), settings)
        return [Measured(SideNumbers(), None) for _ in settings]


def choose(
    kept: KeptRule,
    settings: Sequence[SeedSetting],
    configs: Mapping[str, Mapping[str, Any]],
    development: Side,
    test: Side,
    margins: Mapping[str, float],
    counts: Sequence[SplitCount] = (),
) -> Picked:
    """Choose a setting of each method.

    A setting may be chosen if all its seeds have a difference to `base` in every cell, and if its mean loss in English is below
    the margin; both on the development items. Of these, the one with the highest mean difference over the target languages is
    chosen; of equal ones the first in the order of the run. The test items have no part in it.

    Args:
        settings: All fitted settings of the run, in its order.
        configs: Variant -> the configuration of its fit.
        margins: Question of an endpoint -> loss in English that counts as none.
        counts: Source items on each side.
    """
    endpoint, english, question = _measure(development.groups, kept.rule.endpoint)
    direction = None if endpoint is None else endpoint.metric.higher_is_better
    margin = margin_of(endpoint.metric, margins) if endpoint is not None and english is not None else None
    several = [one for one in settings if sum(other.method == one.method for other in settings) > 1]
    on_development, on_test = development.measure(endpoint, several), test.measure(endpoint, several)
    in_english = development.measure(english, several), test.measure(english, several)
    candidates = []
    for place, setting in enumerate(several):
        own, own_english = on_development[place], in_english[0][place]
        candidates.append(
            Candidate(
                setting.name,
                setting.method,
                setting.variants,
                setting.seeds,
                _differing(setting, several, configs),
                own.numbers,
                on_test[place].numbers,
                english_of(own_english, direction, margin),
                english_of(in_english[1][place], direction, margin),
                _admission(setting, own, own_english if english is not None else None, direction, margin),
            )
        )
    methods = []
    for method in dict.fromkeys(one.method for one in settings):
        alone = [one for one in settings if one.method == method]
        if len(alone) == 1:
            methods.append(MethodPick(method, "one setting", 1, alone[0].name, alone[0].variants))
            continue
        rows = [place for place, one in enumerate(candidates) if one.method == method]
        pick, row = _best(method, candidates, rows, direction)
        if row is not None:
            candidates[row] = replace(candidates[row], chosen=True)
            pick = _with_optimism(pick, on_development[row], on_test[row], direction)
        methods.append(pick)
    return Picked(
        kept.rule.text,
        kept.rule.share,
        SPLIT_VERSION,
        kept.before_results,
        question,
        tuple(counts),
        tuple(methods),
        tuple(candidates),
        **({} if endpoint is None else _named(endpoint)),
        english_cells=() if english is None else tuple(map(str, english.keys)),
        margin=margin,
        left_out=tuple(name for one in candidates if not one.chosen for name in one.variants),
    )


def _measure(
    groups: Sequence[tuple[AverageGroup, SeriesTable]], wanted: str | None
) -> tuple[AverageGroup | None, AverageGroup | None, str]:
    """The endpoint that chooses, the same in English, and the endpoint's question. Of several endpoints of one question (two
    profiles, identifiers or judges) the first of the run chooses."""
    for question in ENDPOINTS if wanted is None else (wanted,):
        for group, _ in groups:
            if group.role == "endpoint" and group.metric.basis.asks == question:
                english = next((one for one, _ in groups if one.role == "english" and _measures_alike(one, group)), None)
                return group, english, question
    return None, None, wanted or ENDPOINTS[0]


def _measures_alike(one: AverageGroup, other: AverageGroup) -> bool:
    return (one.profile, _kind(one.metric), one.grader) == (other.profile, _kind(other.metric), other.grader)


def _kind(metric: Metric) -> tuple[str, bool | None]:
    return metric.name, metric.higher_is_better


def _same(one: AverageGroup, other: AverageGroup | None) -> bool:
    return other is not None and one.role == other.role and _measures_alike(one, other) and set(one.keys) == set(other.keys)


def _named(endpoint: AverageGroup) -> dict[str, Any]:
    metric = endpoint.metric
    return {
        "profile": endpoint.profile,
        "metric": metric.name,
        "unit": metric.unit.name,
        "source": endpoint.grader,
        "higher_is_better": metric.higher_is_better,
        "cells": tuple(map(str, endpoint.keys)),
    }


def _admission(
    setting: SeedSetting, own: Measured, english: Measured | None, direction: bool | None, margin: float | None
) -> Admission:
    """Whether a setting may be chosen.

    Args:
        english: None where English was not asked.
        margin: None where the metric has no unit that a margin could be in; then English is shown and nothing is demanded.
    """
    if own.numbers.measured < len(setting.variants) or own.numbers.delta is None or direction is None:
        return "not measured"
    if english is None:
        return "admissible"
    delta = english.numbers.delta
    if english.numbers.measured < len(setting.variants) or delta is None:
        return "english not measured"
    loss = -delta if direction else delta
    return "admissible" if margin is None or margin - loss > _EQUAL else "english below the margin"


def _best(
    method: str, candidates: Sequence[Candidate], rows: Sequence[int], direction: bool | None
) -> tuple[MethodPick, int | None]:
    sign = -1 if direction is False else 1
    gains = {
        row: sign * delta
        for row in rows
        if candidates[row].admission == "admissible" and (delta := candidates[row].development.delta) is not None
    }
    if not gains:
        measured = any(candidates[row].admission != "not measured" for row in rows)
        return MethodPick(method, "none admissible" if measured else "not measured", len(rows)), None
    most = max(gains.values())
    first, *equal = [row for row, gain in gains.items() if most - gain <= _EQUAL]
    tied = tuple(candidates[row].setting for row in equal)
    return MethodPick(method, "chosen", len(rows), candidates[first].setting, candidates[first].variants, tied), first


def _with_optimism(pick: MethodPick, development: Measured, test: Measured, direction: bool | None) -> MethodPick:
    """With how much the development items flatter the chosen setting.

    The development number is what it is: it was seen, and it chose. What is not known is the setting's true gain, which the
    interval of the test items holds with 95%, whatever was chosen and why. Seeds are no part of it: the same fits stand on both
    sides.
    """
    seen, told, sign = development.numbers.delta, test.of_items, -1 if direction is False else 1
    if seen is None or test.numbers.delta is None:
        return pick
    if told is None:
        return replace(pick, optimism=sign * (seen - test.numbers.delta))
    low, high = sorted((sign * (seen - float(told.low)), sign * (seen - float(told.high))))
    return replace(pick, optimism=sign * (seen - float(told.value)), optimism_low=low, optimism_high=high)


def _differing(setting: SeedSetting, settings: Sequence[SeedSetting], configs: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The settings in which the candidates of a method differ, as this one has them."""
    flat = {one.name: _flat(configs.get(one.variants[0], {})) for one in settings if one.method == setting.method}
    keys = dict.fromkeys(key for own in flat.values() for key in own if key != "seed")
    own = flat[setting.name]
    return {key: own[key] for key in keys if key in own and any(key not in o or o[key] != own[key] for o in flat.values())}


def _flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in config.items():
        found |= _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return found
