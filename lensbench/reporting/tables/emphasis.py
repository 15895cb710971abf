"""Which number of a column stands out."""

from __future__ import annotations

from collections.abc import Sequence

from lensbench.reporting.tables.gather import Entry
from lensbench.reporting.tables.numbers import Units
from lensbench.reporting.tables.schema import Emphasis, ScoreTable
from lensbench.reporting.tables.table_columns import Number
from lensbench.spec import BASE

__all__ = ["column_styles"]


def column_styles(spec: ScoreTable, entries: Sequence[Entry], numbers: Sequence[Number]) -> list[str]:
    """The style of every row in one column, among the rows that share its base.

    The best is marked where its own run has a test that tells it from the second best. No test compares numbers of several runs,
    so where the rows that share a base have numbers of several runs, none of them is marked.
    """
    styles = ["none"] * len(entries)
    for group in dict.fromkeys(entry.group for entry in entries):
        rows = [row for row, entry in enumerate(entries) if entry.group == group]
        for row, style in zip(rows, _styles(spec, [entries[r] for r in rows], [numbers[r] for r in rows]), strict=True):
            styles[row] = style
    return styles


def _styles(spec: ScoreTable, entries: Sequence[Entry], numbers: Sequence[Number]) -> list[str]:
    """By what is printed: second bests that print alike are marked alike, and nothing where bests print alike."""
    emphasis: Emphasis = spec.emphasis
    printed = [
        None
        if number.value is None or number.why or (emphasis.over == "enhanced" and entry.variant == BASE)
        else float(Units(number.unit, spec.digits).text(number.value).replace("−", "-"))
        for entry, number in zip(entries, numbers, strict=True)
    ]
    ranked = sorted({value for value in printed if value is not None}, reverse=True)
    directions = {number.higher_is_better for number, value in zip(numbers, printed, strict=True) if value is not None}
    if directions == {False}:
        ranked.reverse()
    elif directions != {True}:
        # Nothing tells which is the best.
        return ["none"] * len(printed)
    ranks = [(number, value) for number, value in zip(numbers, printed, strict=True) if value is not None]
    best = [number for number, value in ranks if value == ranked[0]]
    runs = {run for number, _ in ranks for run, _ in number.cells}
    if len(ranked) < 2 or len(best) > 1 or len(runs) > 1 or emphasis.over not in best[0].leads:
        return ["none"] * len(printed)
    by_value = {ranked[0]: emphasis.best, ranked[1]: emphasis.second}
    return ["none" if value is None else by_value.get(value, "none") for value in printed]
