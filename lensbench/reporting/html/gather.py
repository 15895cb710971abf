"""Items of all runs with what every variant made of them, side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lensbench.grading.repetition import is_degenerate
from lensbench.metrics import SCORES, Metric, fidelity_name, get_metric, gold_choice, metric_as, told_direction, turn_part
from lensbench.numbers.headline import headline_of
from lensbench.numbers.item_outcome import is_on_target, is_right
from lensbench.reasoning import ANSWERED
from lensbench.records import AnswerRecord, IdentifiedRecord, ItemRecord, ScoreRecord, TaskKey, VerdictRecord
from lensbench.records.counting import conversations, final_verdicts, last_identified, last_scores
from lensbench.records.grader import preferred
from lensbench.reporting.columns import Column, columns_of
from lensbench.reporting.html.item_cell import ItemCell, ShownAnswer, ShownLabel, ShownVerdict
from lensbench.reporting.html.outcome import outcome
from lensbench.reporting.run_view import RunView

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
        source: The source item, the same in all languages; None where the row names none.
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
    cells: dict[int, ItemCell] = field(default_factory=dict)
    source: str | float | None = None

    def outcomes(self, columns: Sequence[Column]) -> bytes:
        """One byte for every column."""
        return bytes(
            outcome(self.cells.get(number), None if column.base is None else self.cells.get(column.base))
            for number, column in enumerate(columns)
        )


def gather(runs: Sequence[RunView]) -> list[Entry]:
    """Every item once, in the order of the runs' tasks, languages and rows.

    The same question in the same words (equal keys) is one item, also across runs; all else stays apart.
    """
    entries: dict[str, Entry] = {}
    columns = columns_of(runs)
    for number, run in enumerate(runs):
        for record in run.records(ItemRecord):
            if record.key not in entries:
                entries[record.key] = _entry(record, number)
        own = {column.variant: place for place, column in enumerate(columns) if column.run == number}
        _scores(run, own, entries)
        _answers(run, own, entries)
    _turns(entries.values(), columns)
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
        source=record.source,
    )


def _scores(run: RunView, columns: Mapping[str, int], entries: Mapping[str, Entry]) -> None:
    """
    Args:
        columns: Variant -> its column.
    """
    headlines: dict[tuple[TaskKey, tuple[str, ...]], Metric | None] = {}
    for record in last_scores(run.records(ScoreRecord)).values():
        entry, column = entries.get(record.item), columns.get(record.variant)
        if entry is None or column is None:
            continue
        metrics = record.metrics
        key = (TaskKey(record.task, record.language), tuple(metrics))
        if key not in headlines:
            facts = run.results.tasks.get(key[0])
            told = facts.higher_is_better if facts else None
            headlines[key] = headline_of(told_direction(metric_as(name, SCORES), told) for name in metrics)
        headline = headlines[key]
        value = None if headline is None else metrics[headline.name]
        entry.cells[column] = ItemCell(
            state=record.state,
            right=None if headline is None else is_right(value, headline),
            gave=record.pick,
            unscored=value is None,
            loglikelihoods=[None if ll is None else round(ll, _DIGITS) for ll in record.loglikelihoods],
            metrics={name: v for name, v in metrics.items() if not get_metric(name).implied},
        )


def _answers(run: RunView, columns: Mapping[str, int], entries: Mapping[str, Entry]) -> None:
    shown: dict[str, ShownAnswer] = {}
    for (item, variant), turns in conversations(run.records(AnswerRecord)).items():
        entry, column = entries.get(item), columns.get(variant)
        if entry is None or column is None:
            continue
        cell = entry.cells.setdefault(column, ItemCell())
        for record in turns.values():
            state = record.answer_state
            cell.unscored = cell.unscored or state not in ANSWERED
            if state != "ok":
                cell.state = state
            unscored = state not in ANSWERED
            repetitive = is_degenerate(record.parts.answer)
            cell.repetitive = cell.repetitive or repetitive
            answer = ShownAnswer(record.turn, state, record.text, record.tokens, record.finish)
            answer.unscored, answer.repetitive = unscored, repetitive
            shown[record.key] = answer
            cell.answers.append(shown[record.key])
    _languages(run, columns, entries, shown)
    _verdicts(run, columns, entries, shown)


def _languages(
    run: RunView, columns: Mapping[str, int], entries: Mapping[str, Entry], answers: Mapping[str, ShownAnswer]
) -> None:
    last = list(last_identified(run.records(IdentifiedRecord)).values())
    rank = {grader: place for place, grader in enumerate(preferred(record.grader for record in last))}
    decided: set[tuple[str, str]] = set()
    for record in sorted(last, key=lambda record: (rank[record.grader], record.item, record.variant)):
        entry, column = entries.get(record.item), columns.get(record.variant)
        if entry is None or column is None or column not in entry.cells:
            continue
        for turn in record.turns:
            if turn.answer in answers:
                label = ShownLabel(record.grader.name, turn.label, turn.cell, turn.probability)
                shown = answers[turn.answer]
                shown.labels.append(label)
                if len(shown.labels) == 1:
                    # The first identifier is the preferred one.
                    value = record.metrics.get(fidelity_name(turn_part(turn.turn)))
                    shown.right, shown.gave = None if value is None else value >= 1, turn.cell
                    shown.unscored = shown.unscored or value is None
        if (record.item, record.variant) in decided:
            continue
        decided.add((record.item, record.variant))
        cell, on_target = entry.cells[column], is_on_target(record.metrics)
        cell.right = on_target
        cell.off_target = on_target is False
        cell.unscored = cell.unscored or on_target is None
        cell.gave = tuple(turn.cell for turn in record.turns) or None


def _verdicts(run: RunView, columns: Mapping[str, int], entries: Mapping[str, Entry], answers: Mapping[str, ShownAnswer]) -> None:
    for record in sorted(final_verdicts(run.folder), key=lambda record: record.grading):
        if record.answer not in answers:
            continue
        if isinstance(record, VerdictRecord):
            reply = record.reply or {}
            text = reply.get("text") or reply.get("refusal") or ""
        else:
            text = record.reason or ""
        verdict = ShownVerdict(record.grader.name, record.repeat, record.state, record.rating, text)
        answers[record.answer].verdicts.append(verdict)
        entry, column = entries.get(record.item), columns.get(record.variant)
        if entry is not None and column in entry.cells and record.state != "ok":
            entry.cells[column].unscored = answers[record.answer].unscored = True


def _turns(entries: Iterable[Entry], columns: Sequence[Column]) -> None:
    """What happened to each turn, beside the same turn of the base."""
    for entry in entries:
        for number, cell in entry.cells.items():
            base = None if (place := columns[number].base) is None else entry.cells.get(place)
            before = {answer.turn: _turn(answer) for answer in base.answers} if base is not None else {}
            for answer in cell.answers:
                answer.bits = outcome(_turn(answer), before.get(answer.turn))


def _turn(answer: ShownAnswer) -> ItemCell:
    gave = None if answer.gave is None else (answer.gave,)
    return ItemCell(
        right=answer.right, gave=gave, unscored=answer.unscored, off_target=answer.right is False, repetitive=answer.repetitive
    )
