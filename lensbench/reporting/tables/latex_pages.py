"""Into which floating tables a section goes, and in what size: none is wider than the text, and none is printed below 7 pt."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from lensbench.reporting.tables.latex_columns import COLUMN_SEP, Grid, Limits
from lensbench.reporting.tables.latex_width import FOOTNOTE, SCRIPT, SMALL, Size
from lensbench.reporting.tables.model import Row, Section

__all__ = ["NARROW", "WIDE", "Page", "pages"]

NARROW, WIDE = 190.0, 320.0
r"""Points of one column of a page with two (`table`), and of the whole text (`table*`).

The narrowest that are common: a column of `article` with `twocolumn` is 200 pt wide and its print 10 pt large; the text of a
plain `article` is 345 pt wide at 10 pt, and at 11 pt as many times its print as 320 pt are at 10 pt.
"""
_HEIGHT = 44
"""Lines of one floating table, which does not break over pages."""
_Choice = tuple[str, float, Size, Limits]
_ROOMY = Limits(120, 200)
_BELOW = Limits(120, 200, below=True)
_CHOICES: list[_Choice] = [
    ("table", NARROW, SMALL, _ROOMY),
    ("table", NARROW, FOOTNOTE, _ROOMY),
    ("table*", WIDE, SMALL, _ROOMY),
    ("table*", WIDE, FOOTNOTE, _ROOMY),
    ("table*", WIDE, SMALL, _BELOW),
    ("table*", WIDE, FOOTNOTE, _BELOW),
    ("table*", WIDE, SCRIPT, _ROOMY),
    ("table*", WIDE, SCRIPT, _BELOW),
    ("table*", WIDE, FOOTNOTE, Limits(90, 120, below=True)),
    ("table*", WIDE, SCRIPT, Limits(90, 120, below=True)),
    ("table*", WIDE, SCRIPT, Limits(70, 80, below=True)),
]
"""From the easiest to read: environment, its width, size, and how the text is arranged. The first that fits is taken."""


@dataclass(frozen=True)
class Page:
    """One floating table.

    Attributes:
        environment: "table" or "table*".
        part, parts: Which of how many floating tables of the section, from 1.
        columns: Places of its columns in the section.
    """

    environment: str
    size: Size
    grid: Grid
    rows: list[Row]
    columns: list[int]
    part: int
    parts: int


def pages(section: Section, *, intervals: bool) -> list[Page]:
    """The floating tables of a section: one where it fits, else its columns and then its rows are divided."""
    made = []
    for columns in _divided(section, intervals):
        environment, size, grid = _fitted(section, columns, intervals) or _smallest(section, columns, intervals)
        made += [(environment, size, grid, rows, columns) for rows in _batches(section, grid)]
    return [Page(*one, part, len(made)) for part, one in enumerate(made, start=1)]


def _fitted(section: Section, columns: Sequence[int], intervals: bool) -> tuple[str, Size, Grid] | None:
    for environment, width, size, limits in _CHOICES:
        grid = Grid(section, columns, size, limits, intervals=intervals)
        if grid.width <= width:
            return environment, size, grid
    return None


def _smallest(section: Section, columns: Sequence[int], intervals: bool) -> tuple[str, Size, Grid]:
    environment, _, size, limits = _CHOICES[-1]
    return environment, size, Grid(section, columns, size, limits, intervals=intervals)


def _divided(section: Section, intervals: bool) -> list[list[int]]:
    """The columns of each floating table: as few tables as can be, of columns of about equal width, groups kept together."""
    everything = list(range(len(section.columns)))
    if _fitted(section, everything, intervals) is not None:
        return [everything]
    label = Grid(section, [], FOOTNOTE, _ROOMY, intervals=intervals).width

    def width(columns: Sequence[int]) -> float:
        return Grid(section, columns, FOOTNOTE, _ROOMY, intervals=intervals).width - label

    units = []
    for group, members in groupby(everything, key=lambda place: section.columns[place].group):
        own = list(members)
        units += [own] if group and width(own) <= WIDE - label else [[place] for place in own]
    widths = [width(unit) for unit in units]
    best = _packed(units, widths, WIDE - label)
    room = WIDE - label
    # The same number of tables with less room in each has them more alike.
    while room > COLUMN_SEP and len(tighter := _packed(units, widths, room - COLUMN_SEP)) == len(best):
        best, room = tighter, room - COLUMN_SEP
    return best


def _packed(units: Sequence[list[int]], widths: Sequence[float], room: float) -> list[list[int]]:
    tables: list[list[int]] = []
    left = 0.0
    for unit, width in zip(units, widths, strict=True):
        if not tables or width > left:
            tables.append([])
            left = room
        tables[-1] += unit
        left -= width
    return tables


def _batches(section: Section, grid: Grid) -> Iterator[list[Row]]:
    batch: list[Row] = []
    lines = 0
    for row in section.rows:
        height = grid.height(row)
        if batch and lines + height > _HEIGHT:
            yield batch
            batch, lines = [], 0
        batch.append(row)
        lines += height
    yield batch
