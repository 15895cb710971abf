"""From item records to columns of numbers: what each variant scored on each item, by task, language and metric."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lensbench.grading.judge.gradings import TURNS_GRADED, gradable
from lensbench.reasoning import ANSWERED, ONLY_REASONING, answer_state
from lensbench.records import RunFolder
from lensbench.states import SCORED
from lensbench.stats import told_direction, unit_of_metric

__all__ = ["Column", "Kind", "final_verdicts", "observe"]

Kind = tuple[str, str, str]
"""Task, language, profile."""


@dataclass
class Column:
    """One metric of one variant on one task in one language.

    Attributes:
        source: Signature of the identifier or judge; "" for log-likelihoods. Unlike sources never share a column.
        unit: "share", "rating", or "number" of a metric that is not known to be a share.
        values: (item, turn) -> value; turn 0 where an item has one value.
        states: Items, or graded answers, by state.
        planned: How many the run is to have.
        picks: Choice with the highest log-likelihood -> items.
        tied: Items that rounding could decide.
        higher_is_better: As the task says; None where nothing does.
    """

    kind: Kind
    variant: str
    source: str
    metric: str
    unit: str
    planned: int
    values: dict[tuple[str, int], float] = field(default_factory=dict)
    states: Counter[str] = field(default_factory=Counter)
    picks: Counter[int] = field(default_factory=Counter)
    tied: int = 0
    higher_is_better: bool | None = True

    @property
    def failures(self) -> int:
        # Whatever is no answer of the model is in no mean, also a state that a later version adds.
        return sum(count for state, count in self.states.items() if state not in SCORED)


def observe(folder: RunFolder) -> Iterator[Column]:
    """All columns of a run, without those of a variant that it no longer has, since its method failed when fitted anew."""
    items = list(folder.records("items"))
    planned = Counter((r["task"], r["language"], r["profile"]) for r in items)
    about = folder.read_json("variants.json")
    variants = about["variants"]
    # Records of a task that the run does not have are those of another run.
    for column in (*_scored(folder, planned), *_identified(folder, planned), *_judged(folder, items)):
        if column.variant in variants and "/".join(column.kind[:2]) in about["tasks"]:
            if not column.source:
                told = about["tasks"].get("/".join(column.kind[:2]), {}).get("higher_is_better")
                column.higher_is_better = told_direction(column.metric, told)
            yield column


def _kind(record: dict[str, Any]) -> Kind:
    return record["task"], record["language"], record["profile"]


def _scored(folder: RunFolder, planned: Counter[Kind]) -> Iterator[Column]:
    groups: dict[tuple[Kind, str], dict[str, dict[str, Any]]] = defaultdict(dict)
    names: dict[Kind, dict[str, None]] = defaultdict(dict)
    for record in folder.records("score"):
        groups[_kind(record), record["variant"]][record["item"]] = record
        names[_kind(record)].update(dict.fromkeys(record["metrics"]))
    for (kind, variant), records in groups.items():
        for metric in names[kind] or ["acc"]:
            column = Column(kind, variant, "", metric, unit_of_metric(metric), planned[kind])
            for item, record in records.items():
                # Each filter of lm-eval has a state of its own where these differ.
                state = record.get("states", {}).get(metric.partition(":")[2] or "none", record["state"])
                column.states[state] += 1
                if record["metrics"].get(metric) is not None:
                    column.values[item, 0] = record["metrics"][metric]
                if record["state"] == "ok" and record["loglikelihoods"]:
                    column.picks[int(np.argmax(record["loglikelihoods"]))] += 1
                # Records of before ties were noted have none.
                column.tied += bool(record.get("tied"))
            yield column


def _identified(folder: RunFolder, planned: Counter[Kind]) -> Iterator[Column]:
    groups: dict[tuple[Kind, str, str], dict[str, dict[str, Any]]] = defaultdict(dict)
    names: dict[Kind, dict[str, None]] = defaultdict(dict)
    for record in folder.records("identified"):
        # A conversation is identified again when a further turn was answered; the last record is the whole one.
        groups[_kind(record), record["variant"], record["identifier"]][record["item"]] = record
        names[_kind(record)].update(dict.fromkeys(record["metrics"]))
    for (kind, variant, identifier), records in groups.items():
        for metric in names[kind]:
            column = Column(kind, variant, identifier, metric, "share", planned[kind])
            for item, record in records.items():
                value = record["metrics"].get(metric)
                # A record without this metric says why in its state; one that is in order has nothing left without its code.
                unscored = "only_code" if record["state"] in ANSWERED else record["state"]
                scored = record["state"] if record["state"] in ANSWERED else "ok"
                column.states[scored if value is not None else unscored] += 1
                if value is not None:
                    column.values[item, 0] = value
            yield column


def _judged(folder: RunFolder, items: list[dict[str, Any]]) -> Iterator[Column]:
    """`rating` over all graded answers, `rating_turn1`, `rating_turn2`, and `rating_<category>`."""
    units = [*final_verdicts(folder), *_nothing_to_grade(folder)]
    asked: dict[Kind, Counter[str]] = defaultdict(Counter)
    for item in items:
        for turn in range(1, min(len(item.get("turns", ())), 2) + 1):
            asked[_kind(item)].update(["rating", f"rating_turn{turn}"])
            if item.get("doc", {}).get("category"):
                asked[_kind(item)].update([f"rating_{item['doc']['category']}"])
    columns: dict[tuple[Kind, str, str, str], Column] = {}
    sums: dict[tuple[Kind, str, str, str], dict[tuple[str, int], list[float]]] = defaultdict(lambda: defaultdict(list))
    for record in units:
        kind, variant, judge = _kind(record), record["variant"], record["judge"]
        metrics = ["rating"]
        if asked[kind]["rating_turn2"]:
            metrics.append(f"rating_turn{record['turn']}")
        if record.get("category"):
            metrics.append(f"rating_{record['category']}")
        for metric in metrics:
            key = (kind, variant, judge, metric)
            column = columns.setdefault(key, Column(kind, variant, judge, metric, "rating", asked[kind][metric]))
            # Repetitions of one grading are one value, their mean; each counts by its state.
            column.states[record["state"]] += 1
            if record["state"] == "ok":
                sums[key][record["item"], record["turn"]].append(record["rating"])
    repeats: dict[tuple[str, Kind], int] = {}
    for record in units:
        asked_of = (record["judge"], _kind(record))
        repeats[asked_of] = max(repeats.get(asked_of, 1), record["repeat"] + 1)
    for key, column in columns.items():
        column.planned *= repeats[column.source, column.kind]
        column.values = {place: float(np.mean(ratings)) for place, ratings in sums[key].items()}
        yield column


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
