"""Asked x answered matrices as heat tables: the numbers of `reporting.text.matrix`, with a step of colour for each share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lensbench.numbers.answered import AnsweredMatrix
from lensbench.reporting.text.matrix import matrix_table, with_base

__all__ = ["Heat", "heat_tables"]

_STEPS = 5


@dataclass(frozen=True)
class Heat:
    """One matrix.

    Attributes:
        rows: A row for each language asked: its name, `(text, step, on_target)` for every cell, and how many were counted.
            Steps go from 0 (none) to 5 (all).
    """

    title: str
    task: str
    variant: str
    turn: int
    level: str
    identifier: str
    header: list[str]
    rows: list[tuple[str, list[tuple[str, int, bool]], str]]


def heat_tables(matrices: Sequence[AnsweredMatrix]) -> list[Heat]:
    """All matrices of a run, answers before lines, each beside its change to the base."""
    found = []
    for one, base in sorted(with_base(matrices), key=lambda pair: (pair[0].matrix.level, pair[0].task, pair[0].matrix.turn)):
        title, header, rows = matrix_table(one, base)
        matrix = one.matrix
        names = list(dict.fromkeys([*matrix.answered, *(base.matrix.answered if base else ())]))
        shown = []
        for asked, *texts, total in rows:
            counts = {name: matrix.count(asked, name) for name in names}
            whole = sum(counts.values()) or 1
            cells = [(text, -(-_STEPS * counts[name] // whole), name == asked) for text, name in zip(texts, names, strict=True)]
            shown.append((asked, cells, total))
        about = (one.task, matrix.variant, matrix.turn, matrix.level, one.grader.name)
        found.append(Heat(title, *about, header, shown))
    return found
