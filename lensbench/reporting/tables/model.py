"""A table between its spec and its print: sections of rows of cells, and the notes that its cells point to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["MISSING", "Cell", "Change", "Column", "Fields", "Notes", "Row", "Section", "Table", "missing"]

MISSING = "–"
"""What stands where there is no number; a note says why."""


Change = Literal["", "better", "worse", "same", "differs"]
"""A printed difference to the base; "" where there is none to speak of."""
Fields = dict[str, str | float | None]
"""What CSV says of a cell."""


@dataclass(frozen=True)
class Cell:
    """One field of a table.

    Attributes:
        text: As printed, without any mark.
        style: "bold", "underline" or "none".
        change: To the base; "" where there is none to speak of.
        delta: That change with its sign.
        significant: Whether the change is marked as significant.
        details: Interval, items and failures, for a table with intervals.
        notes: Numbers of notes, from 1.
        fields: What CSV says of the cell.
    """

    text: str
    style: str = "none"
    change: Change = ""
    delta: str = ""
    significant: bool = False
    details: tuple[str, ...] = ()
    notes: tuple[int, ...] = ()
    fields: Mapping[str, str | float | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Column:
    """Attributes:
    group: Printed above neighbouring columns that share it; "" for none.
    align: "left" or "right".
    """

    title: str
    group: str = ""
    align: Literal["left", "right"] = "right"


@dataclass(frozen=True)
class Row:
    label: str
    cells: tuple[Cell, ...]


@dataclass
class Section:
    """A part with columns of its own.

    Attributes:
        head: Title of the column of row labels.
        remarks: Sentences below the section.
        in_csv: Whether its cells are lines of the CSV (what repeats other cells is not).
    """

    title: str
    columns: list[Column]
    rows: list[Row]
    head: str = ""
    remarks: list[str] = field(default_factory=list)
    in_csv: bool = True


class Notes:
    """Numbered notes; one text has one number."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def number(self, text: str) -> int:
        return self._numbers.setdefault(text, len(self._numbers) + 1)

    def texts(self) -> list[str]:
        return list(self._numbers)


@dataclass
class Table:
    """A whole table.

    Attributes:
        name: Of the spec.
        caption: Sentences.
        notes: Of the cells, by number from 1.
        warnings: What a reader must know before any number.
        remarks: Sentences below everything.
    """

    name: str
    title: str
    caption: list[str]
    sections: list[Section]
    notes: Notes
    warnings: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def missing(notes: Notes, why: str, fields: Mapping[str, str | float | None] | None = None) -> Cell:
    """A cell without a number; never 0 and never blank."""
    return Cell(MISSING, notes=(notes.number(why),), fields={**(fields or {}), "shown": MISSING, "note": why})
