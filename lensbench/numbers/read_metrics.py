"""Conversion of item records to series: each variant's value on each item, by task, language and metric."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from lensbench.grading.judge.gradings import TURNS_GRADED, gradable
from lensbench.metrics import (
    ACCURACY,
    LANGUAGES,
    RATING,
    RATINGS,
    SCORES,
    Metric,
    MetricName,
    metric_as,
    rating_of_category,
    rating_of_turn,
    told_direction,
)
from lensbench.reasoning import ANSWERED, ONLY_REASONING
from lensbench.records import AnswerRecord, IdentifiedRecord, ItemRecord, RunFolder, ScoreRecord, TaskKey
from lensbench.records.counting import conversations, final_verdicts, last_identified, last_scores
from lensbench.states import SCORED

__all__ = ["MetricSeries", "read_metrics"]


@dataclass
class MetricSeries:
    """One metric of one variant on one task in one language, item by item.

    Attributes:
        grader: Signature of the identifier or judge; "" for log-likelihoods. Unlike graders never share a series.
        metric: With the direction that the task gives it.
        values: (item, turn) -> value; turn 0 where an item has one value.
        statistics: (item, turn) -> what it adds to the sums of a metric of the corpus; empty for means over items.
        states: Items, or graded answers, by state.
        planned: How many the run is to have.
        picks: Choice with the highest log-likelihood -> items.
        tied: Items that rounding could decide.
        chance: Mean score of a blind guess; None where the metric is not which choice is the likeliest.
        repeats: How often a judge graded each answer; None where no judge was asked.
    """

    key: TaskKey
    variant: str
    grader: str
    metric: Metric
    planned: int
    values: dict[tuple[str, int], float] = field(default_factory=dict)
    statistics: dict[tuple[str, int], tuple[float, ...]] = field(default_factory=dict)
    states: Counter[str] = field(default_factory=Counter)
    picks: Counter[int] = field(default_factory=Counter)
    tied: int = 0
    chance: float | None = None
    repeats: int | None = None

    @property
    def failures(self) -> int:
        # Whatever is no answer of the model is in no mean, also a state that a later version adds.
        return sum(count for state, count in self.states.items() if state not in SCORED)


def read_metrics(folder: RunFolder) -> Iterator[MetricSeries]:
    """All series of a run, without those of a variant that it no longer has, since its method failed when fitted anew."""
    items = list(folder.records(ItemRecord))
    planned = Counter(record.task_key for record in items)
    about = folder.read_json("variants.json")
    variants = about["variants"]
    # Records of a task that the run does not have are those of another run.
    for series in (*_scored(folder, planned), *_identified(folder, planned), *_judged(folder, items)):
        asked = about["tasks"].get(str(series.key))
        if series.variant not in variants or asked is None:
            continue
        if not series.grader:
            series = replace(series, metric=told_direction(series.metric, asked.get("higher_is_better")))
        yield series


def _scored(folder: RunFolder, planned: Counter[TaskKey]) -> Iterator[MetricSeries]:
    groups: dict[tuple[TaskKey, str], list[ScoreRecord]] = defaultdict(list)
    names: dict[TaskKey, dict[str, None]] = defaultdict(dict)
    for record in last_scores(folder.records(ScoreRecord)).values():
        key = record.task_key
        groups[key, record.variant].append(record)
        names[key].update(dict.fromkeys(record.metrics))
    for (key, variant), records in groups.items():
        # No record names a metric where no item has a score.
        for metric in names[key] or [ACCURACY]:
            series = MetricSeries(key, variant, "", metric_as(metric, SCORES), planned[key])
            kept = MetricName.parse(metric).filter
            for record in records:
                # Each filter of lm-eval has a state of its own where these differ.
                series.states[record.states.get(kept, record.state)] += 1
                value = record.metrics.get(metric)
                if value is not None:
                    series.values[record.item, 0] = value
                    if metric in record.statistics:
                        series.statistics[record.item, 0] = tuple(record.statistics[metric])
                if record.pick is not None:
                    series.picks[record.pick] += 1
                # Records of before ties were noted have none.
                series.tied += bool(record.tied)
            choices = [len(record.loglikelihoods) for record in records if record.loglikelihoods]
            if series.metric.by_likeliest and choices:
                series.chance = float(np.mean([1 / n for n in choices]))
            yield series


def _identified(folder: RunFolder, planned: Counter[TaskKey]) -> Iterator[MetricSeries]:
    groups: dict[tuple[TaskKey, str, str], list[IdentifiedRecord]] = defaultdict(list)
    names: dict[TaskKey, dict[str, None]] = defaultdict(dict)
    for record in last_identified(folder.records(IdentifiedRecord)).values():
        key = record.task_key
        groups[key, record.variant, record.identifier].append(record)
        names[key].update(dict.fromkeys(record.metrics))
    for (key, variant, identifier), records in groups.items():
        for metric in names[key]:
            series = MetricSeries(key, variant, identifier, metric_as(metric, LANGUAGES), planned[key])
            for record in records:
                value = record.metrics.get(metric)
                # A record without this metric says why in its states; one that is in order has nothing left without its code.
                told = record.states.get(metric)
                unscored = told or ("only_code" if record.state in ANSWERED else record.state)
                scored = record.state if record.state in ANSWERED else "ok"
                series.states[scored if value is not None else unscored] += 1
                if value is not None:
                    series.values[record.item, 0] = value
            yield series


class _Graded(NamedTuple):
    """One answer that was to be graded once, and what came of it."""

    key: TaskKey
    variant: str
    judge: str
    item: str
    turn: int
    repeat: int
    category: str | None
    state: str
    rating: float | None


def _judged(folder: RunFolder, items: list[ItemRecord]) -> Iterator[MetricSeries]:
    """The rating over all graded answers, by turn where there are two, and by category."""
    units = [*_gradings(folder), *_nothing_to_grade(folder, items)]
    asked: dict[TaskKey, Counter[str]] = defaultdict(Counter)
    for item in items:
        for turn in range(1, min(len(item.turns), TURNS_GRADED) + 1):
            asked[item.task_key].update([RATING, rating_of_turn(turn)])
            if item.category:
                asked[item.task_key].update([rating_of_category(item.category)])
    found: dict[tuple[TaskKey, str, str, str], MetricSeries] = {}
    sums: dict[tuple[TaskKey, str, str, str], dict[tuple[str, int], list[float]]] = defaultdict(lambda: defaultdict(list))
    repeats: dict[tuple[str, TaskKey], int] = defaultdict(lambda: 1)
    for unit in units:
        metrics = [RATING]
        if asked[unit.key][rating_of_turn(2)]:
            metrics.append(rating_of_turn(unit.turn))
        if unit.category:
            metrics.append(rating_of_category(unit.category))
        for metric in metrics:
            place = (unit.key, unit.variant, unit.judge, metric)
            if place not in found:
                found[place] = MetricSeries(
                    unit.key, unit.variant, unit.judge, metric_as(metric, RATINGS), asked[unit.key][metric]
                )
            # Repetitions of one grading are one value, their mean; each counts by its state.
            found[place].states[unit.state] += 1
            if unit.state == "ok" and unit.rating is not None:
                sums[place][unit.item, unit.turn].append(unit.rating)
        repeats[unit.judge, unit.key] = max(repeats[unit.judge, unit.key], unit.repeat + 1)
    for place, series in found.items():
        series.repeats = repeats[series.grader, series.key]
        series.planned *= series.repeats
        series.values = {at: float(np.mean(ratings)) for at, ratings in sums[place].items()}
        yield series


def _gradings(folder: RunFolder) -> Iterator[_Graded]:
    for r in final_verdicts(folder):
        yield _Graded(r.task_key, r.variant, r.judge, r.item, r.turn, r.repeat, r.category, r.state, r.rating)


def _nothing_to_grade(folder: RunFolder, items: list[ItemRecord]) -> Iterator[_Graded]:
    """Answers that could not be generated, as gradings of every judge: without a rating, and counted."""
    judged = dict.fromkeys((r.judge, r.repeat, r.task) for r in final_verdicts(folder))
    if not judged:
        return
    categories = {item.key: item.category for item in items}
    for by_turn in conversations(folder.records(AnswerRecord)).values():
        for turn, answer in by_turn.items():
            if turn > TURNS_GRADED or gradable(by_turn, turn):
                continue
            own = answer.answer_state
            state = own if own == ONLY_REASONING else "no_answer"
            category = categories.get(answer.item)
            for judge, repeat, task in judged:
                if task == answer.task:
                    yield _Graded(answer.task_key, answer.variant, judge, answer.item, turn, repeat, category, state, None)
