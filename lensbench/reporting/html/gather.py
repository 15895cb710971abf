"""Items of all runs with what every variant made of them, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lensbench.jsonio import JsonObject
from lensbench.metrics import SCORES, Metric, get_metric, gold_choice, metric_as, told_direction
from lensbench.numbers.headline import headline_of
from lensbench.numbers.item_outcome import is_on_target, is_right
from lensbench.reasoning import ANSWERED
from lensbench.records import AnswerRecord, IdentifiedRecord, ItemRecord, ScoreRecord, TaskKey, VerdictRecord
from lensbench.records.counting import final_verdicts, last_identified
from lensbench.records.grader import preferred
from lensbench.reporting.html.outcome import outcome
from lensbench.reporting.html.runs import Column, ReportRun, columns_of

__all__ = ["Entry", "gather"]

_DIGITS = 4
"""Decimals of a log-likelihood in the file; a run's records have them all."""


@dataclass
class Entry:
    """One item.

    Attributes:
        prompt: What was sent before the choices; "" where every choice has a context of its own.
        choices: `(context, continuation)`; contexts are "" where `prompt` holds the one they share. None for open questions.
        gold: Number of the right choice; None where there is none, or it could not be told.
        row: Fields of the row that the prompt does not show.
        cells: Column number -> what that variant made of it.
    """

    key: str
    task: str
    language: str
    profile: str
    doc_id: int
    run: int
    doc: Mapping[str, Any]
    prompt: str
    choices: tuple[tuple[str, str], ...]
    gold: int | None
    turns: tuple[str, ...]
    cells: dict[int, JsonObject] = field(default_factory=dict)

    def outcomes(self, columns: Sequence[Column]) -> bytes:
        """One byte for every column."""
        return bytes(
            outcome(self.cells.get(number), None if column.base is None else self.cells.get(column.base))
            for number, column in enumerate(columns)
        )


def gather(runs: Sequence[ReportRun]) -> list[Entry]:
    """Every item once, in the order of the runs' tasks, languages and rows.

    The same question in the same words (equal keys) is one item, also across runs; all else stays apart.
    """
    entries: dict[str, Entry] = {}
    columns = {(column.run, column.variant): number for number, column in enumerate(columns_of(runs))}
    for number, run in enumerate(runs):
        for record in run.records(ItemRecord):
            if record.key not in entries:
                entries[record.key] = _entry(record, number)
        _scores(run, number, columns, entries)
        _answers(run, number, columns, entries)
    order = {kind: place for place, kind in enumerate(dict.fromkeys((e.task, e.profile, e.language) for e in entries.values()))}
    return sorted(entries.values(), key=lambda e: (order[e.task, e.profile, e.language], e.doc_id, e.key))


def _entry(record: ItemRecord, run: int) -> Entry:
    requests = [(context, continuation) for context, continuation in record.requests]
    turns = tuple(record.turns)
    shared = len({context for context, _ in requests}) == 1
    if turns or not requests:
        choices: list[tuple[str, str]] = []
    else:
        choices = [("", continuation) for _, continuation in requests] if shared else requests
    gold = gold_choice("" if record.gold is None else str(record.gold), [continuation for _, continuation in choices])
    prompt = requests[0][0] if shared else ""
    return Entry(
        record.key,
        record.task,
        record.language,
        record.profile,
        record.doc_id or 0,
        run,
        record.doc,
        prompt,
        tuple(choices),
        gold,
        turns,
    )


def _scores(run: ReportRun, number: int, columns: dict[tuple[int, str], int], entries: dict[str, Entry]) -> None:
    told = {key: about.get("higher_is_better") for key, about in run.results["tasks"].items()}
    headlines: dict[tuple[str, tuple[str, ...]], Metric | None] = {}
    for record in run.records(ScoreRecord):
        entry, column = entries.get(record.item), columns.get((number, record.variant))
        if entry is None or column is None:
            continue
        metrics = record.metrics
        place = str(TaskKey(record.task, record.language))
        key = (place, tuple(metrics))
        if key not in headlines:
            headlines[key] = headline_of(told_direction(metric_as(name, SCORES), told.get(place)) for name in metrics)
        headline = headlines[key]
        value = None if headline is None else metrics[headline.name]
        entry.cells[column] = {
            "state": record.state,
            "right": None if headline is None else is_right(value, headline),
            "gave": record.pick,
            "unscored": value is None,
            "off_target": False,
            "lls": [None if ll is None else round(ll, _DIGITS) for ll in record.loglikelihoods],
            "metrics": {name: v for name, v in metrics.items() if not get_metric(name).implied},
        }


def _answers(run: ReportRun, number: int, columns: dict[tuple[int, str], int], entries: dict[str, Entry]) -> None:
    places: dict[str, JsonObject] = {}
    for record in run.records(AnswerRecord):
        entry, column = entries.get(record.item), columns.get((number, record.variant))
        if entry is None or column is None:
            continue
        cell = entry.cells.setdefault(
            column, {"state": "ok", "right": None, "gave": None, "unscored": False, "off_target": False, "answers": []}
        )
        state = record.answer_state
        unscored = state not in ANSWERED
        cell["unscored"] = cell["unscored"] or unscored
        if state != "ok":
            cell["state"] = state
        answer = {
            "turn": record.turn,
            "state": state,
            "text": record.text,
            "tokens": record.tokens,
            "finish": record.finish,
            "labels": [],
            "verdicts": [],
        }
        cell["answers"].append(answer)
        places[record.key] = answer
    _languages(run, number, columns, entries, places)
    _verdicts(run, number, columns, entries, places)


def _languages(
    run: ReportRun, number: int, columns: dict[tuple[int, str], int], entries: dict[str, Entry], places: dict[str, JsonObject]
) -> None:
    last = list(last_identified(run.records(IdentifiedRecord)).values())
    rank = {grader: place for place, grader in enumerate(preferred(record.grader for record in last))}
    decided: set[tuple[str, str]] = set()
    for record in sorted(last, key=lambda record: (rank[record.grader], record.item, record.variant)):
        entry, column = entries.get(record.item), columns.get((number, record.variant))
        if entry is None or column is None or column not in entry.cells:
            continue
        for turn in record.turns:
            if turn.answer in places:
                places[turn.answer]["labels"].append(
                    {"by": record.grader.name, "label": turn.label, "cell": turn.cell, "p": turn.probability}
                )
        if (record.item, record.variant) in decided:
            continue
        decided.add((record.item, record.variant))
        cell, on_target = entry.cells[column], is_on_target(record.metrics)
        cell["right"] = on_target
        cell["off_target"] = on_target is False
        cell["unscored"] = cell["unscored"] or on_target is None
        cell["gave"] = tuple(turn.cell for turn in record.turns) or None


def _verdicts(
    run: ReportRun, number: int, columns: dict[tuple[int, str], int], entries: dict[str, Entry], places: dict[str, JsonObject]
) -> None:
    for record in sorted(final_verdicts(run.folder), key=lambda record: record.grading):
        if record.answer not in places:
            continue
        if isinstance(record, VerdictRecord):
            reply = record.reply or {}
            text = reply.get("text") or reply.get("refusal") or ""
        else:
            text = record.reason or ""
        places[record.answer]["verdicts"].append(
            {"by": record.grader.name, "repeat": record.repeat, "state": record.state, "rating": record.rating, "text": text}
        )
        entry, column = entries.get(record.item), columns.get((number, record.variant))
        if entry is not None and column in entry.cells and record.state != "ok":
            entry.cells[column]["unscored"] = True
