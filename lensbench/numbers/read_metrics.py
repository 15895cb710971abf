"""From item records to series of numbers: what each variant scored on each item, by task, language and metric."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from lensbench.grading.judge.gradings import TURNS_GRADED, gradable
from lensbench.metrics import (
    ACCURACY,
    LANGUAGES,
    RATING,
    RATINGS,
    SCORES,
    Metric,
    likeliest,
    metric_as,
    rating_of_category,
    rating_of_turn,
    told_direction,
)
from lensbench.reasoning import ANSWERED, ONLY_REASONING, answer_state
from lensbench.records import RunFolder
from lensbench.states import SCORED

__all__ = ["Kind", "MetricSeries", "final_verdicts", "read_metrics"]

Kind = tuple[str, str, str]
"""Task, language, profile."""


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
    """

    kind: Kind
    variant: str
    grader: str
    metric: Metric
    planned: int
    values: dict[tuple[str, int], float] = field(default_factory=dict)
    statistics: dict[tuple[str, int], tuple[float, ...]] = field(default_factory=dict)
    states: Counter[str] = field(default_factory=Counter)
    picks: Counter[int] = field(default_factory=Counter)
    tied: int = 0

    @property
    def failures(self) -> int:
        # Whatever is no answer of the model is in no mean, also a state that a later version adds.
        return sum(count for state, count in self.states.items() if state not in SCORED)


def read_metrics(folder: RunFolder) -> Iterator[MetricSeries]:
    """All series of a run, without those of a variant that it no longer has, since its method failed when fitted anew."""
    items = list(folder.records("items"))
    planned = Counter((r["task"], r["language"], r["profile"]) for r in items)
    about = folder.read_json("variants.json")
    variants = about["variants"]
    # Records of a task that the run does not have are those of another run.
    for series in (*_scored(folder, planned), *_identified(folder, planned), *_judged(folder, items)):
        asked = about["tasks"].get("/".join(series.kind[:2]))
        if series.variant not in variants or asked is None:
            continue
        if not series.grader:
            series = replace(series, metric=told_direction(series.metric, asked.get("higher_is_better")))
        yield series


def _kind(record: dict[str, Any]) -> Kind:
    return record["task"], record["language"], record["profile"]


def _scored(folder: RunFolder, planned: Counter[Kind]) -> Iterator[MetricSeries]:
    groups: dict[tuple[Kind, str], dict[str, dict[str, Any]]] = defaultdict(dict)
    names: dict[Kind, dict[str, None]] = defaultdict(dict)
    for record in folder.records("score"):
        groups[_kind(record), record["variant"]][record["item"]] = record
        names[_kind(record)].update(dict.fromkeys(record["metrics"]))
    for (kind, variant), records in groups.items():
        # No record names a metric where no item has a score.
        for metric in names[kind] or [ACCURACY]:
            series = MetricSeries(kind, variant, "", metric_as(metric, SCORES), planned[kind])
            for item, record in records.items():
                # Each filter of lm-eval has a state of its own where these differ.
                state = record.get("states", {}).get(metric.partition(":")[2] or "none", record["state"])
                series.states[state] += 1
                if record["metrics"].get(metric) is not None:
                    series.values[item, 0] = record["metrics"][metric]
                    if metric in record.get("statistics", {}):
                        series.statistics[item, 0] = tuple(record["statistics"][metric])
                pick = likeliest(record["loglikelihoods"]) if record["state"] == "ok" else None
                if pick is not None:
                    series.picks[pick] += 1
                # Records of before ties were noted have none.
                series.tied += bool(record.get("tied"))
            yield series


def _identified(folder: RunFolder, planned: Counter[Kind]) -> Iterator[MetricSeries]:
    groups: dict[tuple[Kind, str, str], dict[str, dict[str, Any]]] = defaultdict(dict)
    names: dict[Kind, dict[str, None]] = defaultdict(dict)
    for record in folder.records("identified"):
        # A conversation is identified again when a further turn was answered; the last record is the whole one.
        groups[_kind(record), record["variant"], record["identifier"]][record["item"]] = record
        names[_kind(record)].update(dict.fromkeys(record["metrics"]))
    for (kind, variant, identifier), records in groups.items():
        for metric in names[kind]:
            series = MetricSeries(kind, variant, identifier, metric_as(metric, LANGUAGES), planned[kind])
            for item, record in records.items():
                value = record["metrics"].get(metric)
                # A record without this metric says why in its state; one that is in order has nothing left without its code.
                unscored = "only_code" if record["state"] in ANSWERED else record["state"]
                scored = record["state"] if record["state"] in ANSWERED else "ok"
                series.states[scored if value is not None else unscored] += 1
                if value is not None:
                    series.values[item, 0] = value
            yield series


def _judged(folder: RunFolder, items: list[dict[str, Any]]) -> Iterator[MetricSeries]:
    """The rating over all graded answers, by turn where there are two, and by category."""
    units = [*final_verdicts(folder), *_nothing_to_grade(folder)]
    asked: dict[Kind, Counter[str]] = defaultdict(Counter)
    for item in items:
        for turn in range(1, min(len(item.get("turns", ())), 2) + 1):
            asked[_kind(item)].update([RATING, rating_of_turn(turn)])
            if item.get("doc", {}).get("category"):
                asked[_kind(item)].update([rating_of_category(item["doc"]["category"])])
    found: dict[tuple[Kind, str, str, str], MetricSeries] = {}
    sums: dict[tuple[Kind, str, str, str], dict[tuple[str, int], list[float]]] = defaultdict(lambda: defaultdict(list))
    for record in units:
        kind, variant, judge = _kind(record), record["variant"], record["judge"]
        metrics = [RATING]
        if asked[kind][rating_of_turn(2)]:
            metrics.append(rating_of_turn(record["turn"]))
        if record.get("category"):
            metrics.append(rating_of_category(record["category"]))
        for metric in metrics:
            key = (kind, variant, judge, metric)
            if key not in found:
                found[key] = MetricSeries(kind, variant, judge, metric_as(metric, RATINGS), asked[kind][metric])
            series = found[key]
            # Repetitions of one grading are one value, their mean; each counts by its state.
            series.states[record["state"]] += 1
            if record["state"] == "ok":
                sums[key][record["item"], record["turn"]].append(record["rating"])
    repeats: dict[tuple[str, Kind], int] = {}
    for record in units:
        asked_of = (record["judge"], _kind(record))
        repeats[asked_of] = max(repeats.get(asked_of, 1), record["repeat"] + 1)
    for key, series in found.items():
        series.planned *= repeats[series.grader, series.kind]
        series.values = {place: float(np.mean(ratings)) for place, ratings in sums[key].items()}
        yield series


def _nothing_to_grade(folder: RunFolder) -> Iterator[dict[str, Any]]:
    """Answers that could not be generated, as gradings of every judge: without a rating, and counted."""
    judged = {(r["judge"], r["repeat"], r["task"]): None for stage in ("verdicts", "ungraded") for r in folder.records(stage)}
    if not judged:
        return
    categories = {item["key"]: item.get("doc", {}).get("category") for item in folder.records("items")}
    conversations: dict[tuple[str, str], dict[int, dict[str, Any]]] = defaultdict(dict)
    for answer in folder.records("answers"):
        conversations[answer["item"], answer["variant"]][answer["turn"]] = answer
    for by_turn in conversations.values():
        for turn, answer in by_turn.items():
            if turn > TURNS_GRADED or gradable(by_turn, turn):
                continue
            own = answer_state(answer)
            state = own if own == ONLY_REASONING else "no_answer"
            for judge, repeat, task in judged:
                if task == answer["task"]:
                    yield {**answer, "judge": judge, "repeat": repeat, "category": categories.get(answer["item"]), "state": state}


def final_verdicts(folder: RunFolder) -> list[dict[str, Any]]:
    """One record per answer, judge and repetition: the first verdict that could be read, else the last try, else the failure."""
    final: dict[tuple[str, str, int], dict[str, Any]] = {}
    for stage in ("ungraded", "verdicts"):
        for record in folder.records(stage):
            key = (record["answer"], record["judge"], record["repeat"])
            before = final.get(key)
            if before is None or before["state"] != "ok":
                final[key] = record
    return list(final.values())
