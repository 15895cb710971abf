"""A number of ours beside a printed one: the difference, and whether the printed one lies in our interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lensbench.papers.discrepancies import discrepancies_of, incomparable, matching_backbone
from lensbench.papers.facts import CellFacts, RunFacts
from lensbench.papers.schema import Note, Published, PublishedColumn, ScoreTable, half_digit

__all__ = [
    "NO_INTERVAL",
    "NO_NUMBER",
    "OUTSIDE",
    "UNLIKE",
    "VERDICTS",
    "WITHIN",
    "PaperComparison",
    "compare_average_with_paper",
    "compare_with_paper",
    "settings_of",
]

WITHIN, OUTSIDE = "within the interval", "outside"
NO_INTERVAL, NO_NUMBER, UNLIKE = "no interval", "no number", "not comparable"
VERDICTS = (WITHIN, OUTSIDE, NO_INTERVAL, NO_NUMBER, UNLIKE)


@dataclass(frozen=True)
class PaperComparison:
    """What a paper prints beside a number of ours.

    Attributes:
        paper: As printed, in percent or points of the judge's scale.
        table: Number of the table in the paper, where known.
        difference: Ours less the paper's, in the same units; None where they are not comparable or we have none.
        verdict: One of `VERDICTS`. It depends on the two numbers and our interval only, never on how the settings differ; the
            one exception is "not comparable", of numbers under unlike protocols, which are never subtracted.
        outside: How far the printed number lies beyond the nearer end of our interval; None where it does not.
        discrepancies: Settings of the run that are not the paper's.
        note: What is known of the printed number.
    """

    paper: str
    table: int | None
    difference: float | None
    verdict: str
    outside: float | None
    discrepancies: tuple[str, ...]
    note: str | None = None


@dataclass(frozen=True)
class _Found:
    printed: str
    column: PublishedColumn
    table: ScoreTable
    note: Note | None
    number: int | None


def compare_with_paper(facts: CellFacts, published: Published, wanted: str | None = None) -> PaperComparison | None:
    """A cell beside the paper's.

    Args:
        wanted: Backbone of the paper, where it is not to be the run's own.

    Returns:
        None where the paper prints no such number.
    """
    key, backbone = matching_backbone(published, facts.run, wanted)
    found = _find(published, key, facts.method, facts.language, facts.metric.name, task=facts.task)
    if found is None:
        return None
    unlike = incomparable(facts, found.column, found.table.targets)
    if unlike is not None:
        return _compared(found, None, UNLIKE, (unlike,))
    why = discrepancies_of(facts, found.column, published, settings_of(published, facts.method, key, facts.run.targets), backbone)
    scale = facts.metric.unit.scale
    return _judged(found, _scaled(facts.value, scale), _scaled(facts.low, scale), _scaled(facts.high, scale), why)


def compare_average_with_paper(
    published: Published,
    run: RunFacts,
    method: str,
    language: str,
    metric: str,
    value: float | None,
    low: float | None,
    high: float | None,
    parts: Sequence[tuple[str, PaperComparison | None]],
    wanted: str | None = None,
) -> PaperComparison | None:
    """An average over tasks beside the paper's.

    Args:
        value: Of 0 to 1, as its interval.
        parts: Each averaged task, and its own number beside the paper's.
    """
    key, _ = matching_backbone(published, run, wanted)
    found = _find(published, key, method, language, metric, task=None)
    if found is None:
        return None
    ours, theirs = [task for task, _ in parts], list(found.column.average)
    if sorted(ours) != sorted(theirs):
        return _compared(found, None, UNLIKE, (f"averages {', '.join(ours)}; the paper's is over {', '.join(theirs)}",))
    known = [part for _, part in parts if part is not None]
    unlike = [one for part in known if part.verdict == UNLIKE for one in part.discrepancies]
    if unlike:
        return _compared(found, None, UNLIKE, tuple(dict.fromkeys(unlike)))
    why = tuple(dict.fromkeys(one for part in known for one in part.discrepancies))
    return _judged(found, _scaled(value, 100), _scaled(low, 100), _scaled(high, 100), why)


def settings_of(published: Published, method: str, backbone: str, targets: Sequence[str]) -> Mapping[str, object]:
    """The paper's configuration of a method, as far as it prints one; {} where it prints none for these languages."""
    for row in published.settings:
        if row.method == method and row.backbone == backbone and set(row.targets) == set(targets):
            return dict(row.values)
    return {}


def _find(published: Published, backbone: str, method: str, language: str, metric: str, *, task: str | None) -> _Found | None:
    for table in published.scores:
        for row in table.rows:
            if (row.backbone, row.method) != (backbone, method):
                continue
            for (name, column), printed in zip(table.columns.items(), row.values, strict=True):
                if (column.task, column.language, column.metric) == (task, language, metric):
                    return _Found(printed, column, table, row.notes.get(name), table.tables[backbone])
    return None


def _judged(found: _Found, value: float | None, low: float | None, high: float | None, why: tuple[str, ...]) -> PaperComparison:
    if value is None:
        return _compared(found, None, NO_NUMBER, why)
    printed = float(found.printed)
    difference = value - printed
    if low is None or high is None:
        return _compared(found, difference, NO_INTERVAL, why)
    beyond = max(low - printed, printed - high)
    # A printed number stands for all that round to it.
    if beyond <= half_digit(found.printed) + 1e-9:
        return _compared(found, difference, WITHIN, why)
    return _compared(found, difference, OUTSIDE, why, beyond)


def _compared(
    found: _Found, difference: float | None, verdict: str, why: tuple[str, ...], outside: float | None = None
) -> PaperComparison:
    note = None
    if found.note is not None:
        meant = f"; {found.note.corrected} was probably meant" if found.note.corrected is not None else ""
        note = found.note.text + meant
    return PaperComparison(found.printed, found.number, difference, verdict, outside, why, note)


def _scaled(value: float | None, scale: float) -> float | None:
    return None if value is None else scale * value
