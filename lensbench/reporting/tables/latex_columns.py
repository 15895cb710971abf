r"""The columns of a LaTeX table: digits aligned at the point by columns of their own, so no package is needed for it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from lensbench.reporting.tables.escape import latex
from lensbench.reporting.tables.latex_width import SCRIPT, Size, text_width, wrapped
from lensbench.reporting.tables.marks import symbol
from lensbench.reporting.tables.model import MISSING, Cell, Row, Section

__all__ = ["COLUMN_SEP", "Grid", "Limits"]

COLUMN_SEP = 3
"""`\\tabcolsep` in points: half of what lies between two columns."""
_NUMBER = re.compile(r"([−+±]?[\d,]+\.?)(\d*%?)")
_UNSEEN = 2.0
"""Points by which a title may be wider than its numbers before it shows."""
_THIN = 1.7
"""Points of `\\,` in the smallest print, at most."""


@dataclass(frozen=True)
class Limits:
    """How a table may be made narrower.

    Attributes:
        label, text: The widest that row labels, and other text, may be before it is broken into lines; in points.
        below: Whether differences stand below the numbers, not beside them.
    """

    label: float
    text: float
    below: bool = False


@dataclass(frozen=True)
class _Column:
    """Attributes:
    place: In the section.
    kind: "number": aligned at the point; "text": as wide as its text.
    delta: Whether differences stand beside the numbers.
    width: In points, without the space between columns.
    pad: Points on each side of numbers below a wider title, so that they stand in its middle.
    """

    place: int
    kind: str
    delta: bool
    width: float
    title: tuple[str, ...]
    align: str
    pad: float = 0.0

    @property
    def spec(self) -> str:
        if self.kind == "text":
            return self.align
        return r"r@{}l@{\,}r" if self.delta else "r@{}l"

    @property
    def parts(self) -> int:
        return 1 if self.kind == "text" else 3 if self.delta else 2


class Grid:
    """Some columns of a section in one size: how wide they are, and their lines.

    Args:
        places: Columns of the section.
        intervals: Whether details stand below the numbers.
    """

    def __init__(self, section: Section, places: Sequence[int], size: Size, limits: Limits, *, intervals: bool) -> None:
        self._section, self._size, self._limits, self._intervals = section, size, limits, intervals
        self._columns = [self._column(place) for place in places]
        self._groups = [
            (group, list(columns)) for group, columns in groupby(self._columns, key=lambda c: section.columns[c.place].group)
        ]
        labels = [line for row in section.rows for line in self._label(row.label)]
        self._label_width = max((text_width(line, size) for line in [*labels, *self._label(section.head)]), default=0.0)

    @property
    def width(self) -> float:
        """In points; an estimate from above."""
        groups = 0.0
        for group, columns in self._groups:
            own = sum(column.width for column in columns) + 2 * COLUMN_SEP * (len(columns) - 1)
            title = max(text_width(line, self._size) for line in self._group_title(group, own))
            groups += max(own, title) + 2 * COLUMN_SEP
        return self._label_width + groups

    @property
    def spec(self) -> str:
        return f"@{{}}l{''.join(column.spec for column in self._columns)}@{{}}"

    def height(self, row: Row) -> int:
        """Lines of a row."""
        cells = [row.cells[column.place] for column in self._columns]
        details = max((len(self._details(cell)) for cell in cells), default=0)
        lines = [len(self._lines(column.kind, row.cells[column.place])) for column in self._columns]
        return details + max([len(self._label(row.label)), *lines])

    def header(self) -> list[str]:
        """Rows of titles, with rules below groups."""
        head = _stacked(self._label(self._section.head), "l", "b")
        titles = [_over(column.parts, column.align, _stacked(column.title, column.align, "b")) for column in self._columns]
        lines = [" & ".join([head, *titles]) + r" \\"]
        if not any(group for group, _ in self._groups):
            return lines
        cells, rules, place = [""], [], 2
        for group, columns in self._groups:
            parts = sum(column.parts for column in columns)
            own = sum(column.width for column in columns) + 2 * COLUMN_SEP * (len(columns) - 1)
            cells.append(_over(parts, "c", _stacked(self._group_title(group, own), "c", "b")))
            if group:
                rules.append(rf"\cmidrule(lr){{{place}-{place + parts - 1}}}")
            place += parts
        return [" & ".join(cells) + r" \\", " ".join(rules), *lines]

    def rows(self, row: Row) -> Iterator[str]:
        """The lines of a row of the table: its numbers, and their details below."""
        cells = [row.cells[column.place] for column in self._columns]
        label = _stacked(self._label(row.label), "l", "t")
        yield " & ".join([label, *(self._printed(*pair) for pair in zip(self._columns, cells, strict=True))]) + r" \\"
        details = [self._details(cell) for cell in cells]
        for number in range(max(map(len, details), default=0)):
            parts = [
                _over(
                    column.parts,
                    "l" if self._intervals else "r",
                    rf"{{\scriptsize {latex(own[number])}}}" if number < len(own) else "",
                )
                for column, own in zip(self._columns, details, strict=True)
            ]
            yield " & ".join(["", *parts]) + r" \\"

    def _small(self, column: _Column, text: str) -> str:
        small, space = rf"{{\scriptsize {latex(text)}}}", _space(column.pad)
        return space + small if self._intervals else small + space

    def _details(self, cell: Cell) -> list[str]:
        """What stands in small print below a number."""
        below = [symbol(cell) + cell.delta] if self._limits.below and cell.delta else []
        return [*below, *(cell.details if self._intervals else ())]

    @property
    def spaced(self) -> bool:
        """Whether rows have several lines, so that space between them is needed to tell them apart."""
        return any(self._details(row.cells[column.place]) for row in self._section.rows for column in self._columns)

    def _label(self, text: str) -> list[str]:
        return wrapped(text, self._limits.label, self._size)

    def _group_title(self, group: str, width: float) -> list[str]:
        return wrapped(group, max(width, self._longest_word(group)), self._size)

    def _longest_word(self, title: str) -> float:
        """Titles are broken between words, and within a word only where it is longer than other text may be."""
        return min(max(text_width(word, self._size) for word in title.split(" ")), self._limits.text)

    def _column(self, place: int) -> _Column:
        column = self._section.columns[place]
        cells = [row.cells[place] for row in self._section.rows]
        numbers = [_NUMBER.fullmatch(cell.text) for cell in cells if cell.text != MISSING]
        number = bool(numbers) and all(numbers)
        delta = number and not self._limits.below and any(cell.delta for cell in cells)
        width = self._number_width(cells, delta) if number else self._text_width(cells)
        width = max([width, *(text_width(part, SCRIPT) for cell in cells for part in self._details(cell))])
        title = wrapped(column.title, max(width, self._longest_word(column.title)), self._size)
        wider = max(0.0, *(text_width(line, self._size) - width for line in title))
        align = "c" if number else column.align[0]
        pad = wider / 2 if number and wider > _UNSEEN else 0.0
        return _Column(place, "number" if number else "text", delta, width + wider, tuple(title), align, pad)

    def _number_width(self, cells: Sequence[Cell], delta: bool) -> float:
        halves = [(m[1], m[2], cell.style == "bold") for cell in cells if (m := _NUMBER.fullmatch(cell.text))]
        whole = max(text_width(before, self._size, bold=bold) for before, _, bold in halves)
        fraction = max(text_width(after, self._size, bold=bold) for _, after, bold in halves)
        beside = max((text_width(symbol(cell) + cell.delta, SCRIPT) for cell in cells), default=0.0) + _THIN if delta else 0.0
        return whole + fraction + beside

    def _text_width(self, cells: Sequence[Cell]) -> float:
        widths = []
        for cell in cells:
            beside = text_width(f" {symbol(cell)}{cell.delta}", SCRIPT) if cell.delta and not self._limits.below else 0.0
            bold = cell.style == "bold"
            widths += [text_width(line, self._size, bold=bold) + beside for line in self._lines("text", cell)]
        return max(widths, default=0.0)

    def _lines(self, kind: str, cell: Cell) -> list[str]:
        if kind == "number":
            return [cell.text]
        return wrapped(cell.text, self._limits.text, self._size, bold=cell.style == "bold")

    def _printed(self, column: _Column, cell: Cell) -> str:
        if column.kind == "text":
            lines = self._lines(column.kind, cell)
            return _stacked(lines, column.align, "t", cell.style) + ("" if self._limits.below else _beside(cell))
        found = _NUMBER.fullmatch(cell.text)
        if found is None:
            return _over(column.parts, "c", latex(cell.text))
        halves = [_styled(latex(found[1]), cell.style), _styled(latex(found[2]), cell.style)]
        halves[0] = _space(column.pad) + halves[0]
        return " & ".join([*halves, *([_beside(cell).strip() + _space(column.pad)] if column.delta else [])])


def _beside(cell: Cell) -> str:
    """The sign of the verdict and the difference, smaller than the number."""
    return rf" {{\scriptsize {latex(symbol(cell) + cell.delta)}}}" if cell.delta else ""


def _space(points: float) -> str:
    return rf"\hspace*{{{points:.1f}pt}}" if points else ""


def _styled(text: str, style: str) -> str:
    if not text:
        return ""
    return {"bold": rf"\textbf{{{text}}}", "underline": rf"\underline{{{text}}}"}.get(style, text)


def _stacked(lines: Sequence[str], align: str, position: str, style: str = "none") -> str:
    """One line as it is; several one above the other."""
    shown = [_styled(latex(line), style) for line in lines]
    if len(shown) == 1:
        return shown[0]
    return rf"\begin{{tabular}}[{position}]{{@{{}}{align}@{{}}}}" + r" \\ ".join(shown) + r"\end{tabular}"


def _over(parts: int, align: str, text: str) -> str:
    return rf"\multicolumn{{{parts}}}{{{align}}}{{{text}}}"
