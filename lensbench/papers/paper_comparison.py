"""A number of ours beside a printed one: the difference, and a verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lensbench.papers.discrepancies import discrepancies_of, incomparable, matching_backbone
from lensbench.papers.facts import CellFacts, RunFacts
from lensbench.papers.schema import Note, Published, PublishedColumn, ScoreTable, half_digit

__all__ = [
    "EXPLAINED",
    "NO_VALUE",
    "OPEN",
    "UNLIKE",
    "WITHIN",
    "PaperComparison",
    "compare_average_with_paper",
    "compare_with_paper",
    "settings_of",
]

WITHIN, EXPLAINED, OPEN = "within the interval", "explained", "open"
UNLIKE, NO_VALUE = "not comparable", "no number here"


@dataclass(frozen=True)
class PaperComparison:
    """What a paper prints beside a number of ours.

    Attributes:
        paper: As printed, in percent or points of the judge's scale.
        table: Number of the table in the paper, where known.
        difference: Ours less the paper's, in the same units; None where they are not comparable or we have none.
        verdict: "within the interval" (of ours, give or take half a unit of the paper's last digit), "explained", "open",
            "not comparable" or "no number here".
        discrepancies: What the run's provenance says. For a number within the interval they are told too, since it may be
            there by chance.
        note: What is known of the printed number.
    """

    paper: str
    table: int | None
    difference: float | None
    verdict: str
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
    if facts.value is None:
        return _compared(found, None, NO_VALUE, ())
    why = discrepancies_of(facts, found.column, published, settings_of(published, facts.method, key, facts.run.targets), backbone)
    scale = facts.metric.unit.scale
    return _judged(found, scale * facts.value, _scaled(facts.low, scale), _scaled(facts.high, scale), why)


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
    """An average over tasks beside the paper's; without an interval of its own it is judged by its parts.

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
    if value is None:
        return _compared(found, None, NO_VALUE, ())
    why = tuple(dict.fromkeys(one for part in known for one in part.discrepancies))
    if low is not None and high is not None:
        return _judged(found, 100 * value, 100 * low, 100 * high, why)
    difference = 100 * value - float(found.printed)
    if len(known) == len(parts) and all(part.verdict == WITHIN for part in known):
        return _compared(found, difference, WITHIN, why)
    return _compared(found, difference, EXPLAINED if why else OPEN, why)


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


def _judged(found: _Found, value: float, low: float | None, high: float | None, why: tuple[str, ...]) -> PaperComparison:
    difference = value - float(found.printed)
    if _holds(low, high, found.printed):
        return _compared(found, difference, WITHIN, why)
    corrected = found.note.corrected if found.note else None
    if corrected is not None and _holds(low, high, corrected):
        return _compared(found, difference, EXPLAINED, (*why, f"misprint: {corrected} was probably meant"))
    return _compared(found, difference, EXPLAINED if why else OPEN, why)


def _holds(low: float | None, high: float | None, printed: str) -> bool:
    if low is None or high is None:
        return False
    slack = half_digit(printed) + 1e-9
    return low - slack <= float(printed) <= high + slack


def _compared(found: _Found, difference: float | None, verdict: str, why: tuple[str, ...]) -> PaperComparison:
    return PaperComparison(found.printed, found.number, difference, verdict, why, found.note.text if found.note else None)


def _scaled(value: float | None, scale: float) -> float | None:
    return None if value is None else scale * value
