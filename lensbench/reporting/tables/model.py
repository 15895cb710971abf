"""A table between its spec and its print: sections of rows of cells, and the notes that its cells point to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["MISSING", "Cell", "Column", "Fields", "Mark", "Notes", "Row", "Section", "Table", "missing"]

MISSING = "–"
"""What stands where there is no number; a note says why."""

Mark = Literal["", "better", "worse", "differs"]
"""The run's verdict on a difference to the base, where it is one of these; else ""."""
Fields = dict[str, str | float | None]
"""What CSV says of a cell."""


@dataclass(frozen=True)
class Cell:
    """One field of a table.

    Attributes:
        text: As printed, without any mark.
        style: "bold", "underline" or "none".
        mark: The run's verdict, which alone decides whether a sign for better or worse is shown.
        delta: The difference to the base with its sign; "" where there is none.
        details: Interval, items and failures, for a table with intervals.
        notes: Numbers of notes, from 1.
        fields: What CSV says of the cell.
    """

    text: str
    style: str = "none"
    mark: Mark = ""
    delta: str = ""
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
        lead: Sentences above the section.
        remarks: Sentences below the section.
        in_csv: Whether its cells are lines of the CSV (what repeats other cells is not).
    """

    title: str
    columns: list[Column]
    rows: list[Row]
    head: str = ""
    remarks: list[str] = field(default_factory=list)
    in_csv: bool = True
    lead: list[str] = field(default_factory=list)


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
        legend: How to read the marks, in as few words as a caption in print has room for.
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
    legend: str = ""


def missing(notes: Notes, why: str, fields: Mapping[str, str | float | None] | None = None) -> Cell:
    """A cell without a number; never 0 and never blank."""
    return Cell(MISSING, notes=(notes.number(why),), fields={**(fields or {}), "shown": MISSING, "note": why})
