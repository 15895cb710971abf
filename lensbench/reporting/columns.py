"""The columns of views that set runs side by side: one for every variant of every run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lensbench.reporting.run_view import RunView
from lensbench.spec import BASE

__all__ = ["Column", "columns_of"]


@dataclass(frozen=True)
class Column:
    """One variant of one run: what stands beside the others for every item."""

    run: int
    variant: str
    label: str
    base: int | None
    """Column of the untouched backbone of the same run; None for the backbone itself, or where it was not asked."""
    colour: int
    """0 for every backbone, then 1 to 8 in turn, in the order of the looks of figures."""


def columns_of(runs: Sequence[RunView]) -> list[Column]:
    """A column for every variant of every run; a run's base comes first."""
    columns: list[Column] = []
    for number, run in enumerate(runs):
        first = len(columns) if BASE in run.variants else None
        for variant in run.variants:
            name = run.results.called(variant)
            label = f"{run.label} · {name}" if run.label else name
            enhanced = sum(column.variant != BASE for column in columns)
            colour = 0 if variant == BASE else 1 + enhanced % 8
            columns.append(Column(number, variant, label, None if variant == BASE else first, colour))
    return columns
