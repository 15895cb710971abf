"""Tables and sentences laid out for a width: what does not fit is folded into blocks and pieces, and nothing is cut."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from rich.cells import cell_len

from lensbench.printable import printable

if TYPE_CHECKING:
    from lensbench.api import TextTable

__all__ = ["Line", "table_lines", "wrapped"]

_GAP = 2
_NARROWEST = 4
"""No column becomes narrower than this."""


@dataclass(frozen=True)
class Line:
    """One line of a table: a "title", a "header", a "rule" or "", which is a row."""

    text: str
    kind: str = ""


def wrapped(text: str, width: int, *, first: str = "", later: str = "") -> list[str]:
    """Text in lines of at most `width` columns, broken between words where that is possible.

    Args:
        first, later: What the first line and all others begin with.
    """
    lines: list[str] = []
    line, begun = first, False
    for word in text.split(" "):
        parts = [word]
        while parts:
            part = parts.pop(0)
            joined = f"{line} {part}" if begun else line + part
            if cell_len(joined) <= width:
                line, begun = joined, True
            elif begun:
                lines.append(line)
                line, begun = later, False
                parts.insert(0, part)
            else:
                head, tail = _parted(part, max(1, width - cell_len(line)))
                line, begun = line + head, True
                parts = [tail, *parts] if tail else parts
    return [*lines, line]


def _parted(word: str, width: int) -> tuple[str, str]:
    """A word that is too long, after as many characters as fit; at least one."""
    used = 0
    for place, character in enumerate(word):
        used += cell_len(character)
        if used > width and place:
            return word[:place], word[place:]
    return word, ""


def table_lines(table: TextTable, width: int) -> list[Line]:
    """A table in lines of at most `width` columns.

    One table where it fits. Otherwise its rows stand in blocks under a title of their first columns, if the table says so, and
    its columns in pieces one below the other, each with the columns that say what a row is of. Long names are wrapped.
    """
    shown = _one_line(table)
    title = [Line(text, "title") for text in wrapped(shown.title, width)] if shown.title else []
    return [*title, *_body(shown, width)]


def _body(table: TextTable, width: int) -> list[Line]:
    if _total(_natural(table)) <= width or not table.blocks or not table.rows:
        return _pieces(table, width)
    lines: list[Line] = []
    for heading, block in _blocks(table):
        lines += [*([Line("")] if lines else []), *(Line(text, "title") for text in wrapped(heading, width))]
        lines += _pieces(block, width)
    return lines


def _one_line(table: TextTable) -> TextTable:
    """The table with controls in its texts written as escapes."""
    return replace(
        table,
        header=[printable(name, one_line=True) for name in table.header],
        rows=[[printable(value, one_line=True) for value in row] for row in table.rows],
        title=None if table.title is None else printable(table.title, one_line=True),
        right=frozenset(printable(name, one_line=True) for name in table.right),
        groups=tuple((printable(title, one_line=True), count) for title, count in table.groups),
    )


def _blocks(table: TextTable) -> Iterator[tuple[str, TextTable]]:
    """Rows with the same first columns, in the order in which these appear; what all rows of a block share goes to its title."""
    groups: dict[tuple[str, ...], list[Sequence[str]]] = {}
    for row in table.rows:
        groups.setdefault(tuple(row[: table.blocks]), []).append(row)
    for heading, rows in groups.items():
        values = [list(dict.fromkeys(row[place] for row in rows if row[place])) for place in range(len(table.header))]
        shared = {place for place, name in enumerate(table.header) if name in table.common and len(values[place]) < 2}
        said = [f"{table.header[place]} {values[place][0]}" for place in sorted(shared) if values[place]]
        left = [place for place in range(table.blocks, len(table.header)) if place not in shared]
        title = " · ".join(filter(None, heading)) + (f" ({', '.join(said)})" if said else "")
        yield (
            title,
            replace(
                table,
                header=[table.header[place] for place in left],
                rows=[[row[place] for place in left] for row in rows],
                keys=max(0, table.keys - table.blocks),
                blocks=0,
            ),
        )


def _natural(table: TextTable) -> list[int]:
    """The width of every column; a column also makes room for its share of the title of its group."""
    found = [max([cell_len(name), *(cell_len(row[place]) for row in table.rows)]) for place, name in enumerate(table.header)]
    for start, end, title in _groups(table):
        lacking = cell_len(title) - _total(found[start:end])
        if lacking > 0:
            found[end - 1] += lacking
    return found


def _groups(table: TextTable) -> list[tuple[int, int, str]]:
    """First column, the one behind the last, and title, of each group after the keys."""
    groups = table.groups or tuple(("", 1) for _ in table.header[table.keys :])
    ends = [table.keys]
    for _, count in groups:
        ends.append(ends[-1] + count)
    return [(start, end, title) for (start, end), (title, _) in zip(pairwise(ends), groups, strict=True)]


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + _GAP * max(0, len(widths) - 1)


def _pieces(table: TextTable, width: int) -> list[Line]:
    """The columns in as few pieces as fit, one below the other."""
    widths = _natural(table)
    keys = list(range(table.keys))
    if _total(widths) > width:
        _narrow(widths, keys, width // 2)
    room = width - (_total([widths[place] for place in keys]) + _GAP if keys else 0)
    pieces: list[list[tuple[int, int, str]]] = []
    used = 0
    for start, end, title in _groups(table):
        columns = list(range(start, end))
        if _total(widths[start:end]) > room:
            _narrow(widths, columns, room)
        needed = _total(widths[start:end])
        if pieces and used + _GAP + needed <= room:
            pieces[-1].append((start, end, title))
            used += _GAP + needed
        else:
            pieces.append([(start, end, title)])
            used = needed
    lines: list[Line] = []
    for piece in pieces or [[]]:
        lines += [*([Line("")] if lines else []), *_grid(table, widths, keys, piece, width)]
    return lines


def _narrow(widths: list[int], columns: Sequence[int], most: int) -> None:
    """Take from the widest of these columns until they fit, or none can give any more."""
    while columns and _total([widths[place] for place in columns]) > most:
        widest = max(columns, key=lambda place: widths[place])
        if widths[widest] <= _NARROWEST:
            return
        widths[widest] -= 1


def _grid(
    table: TextTable, widths: Sequence[int], keys: Sequence[int], groups: Sequence[tuple[int, int, str]], width: int
) -> Iterator[Line]:
    places = [*keys, *(place for start, end, _ in groups for place in range(start, end))]
    if any(title for *_, title in groups):
        titles = ["", *(title for *_, title in groups)] if keys else [title for *_, title in groups]
        spans = [_total([widths[place] for place in range(start, end)]) for start, end, _ in groups]
        spans = [_total([widths[place] for place in keys]), *spans] if keys else spans
        yield from (Line(text, "header") for text in _joined(titles, spans, frozenset()))
    rights = frozenset(number for number, place in enumerate(places) if table.header[place] in table.right)
    own = [widths[place] for place in places]
    yield from (Line(text, "header") for text in _joined([table.header[place] for place in places], own, rights))
    yield Line("─" * min(width, _total(own)), "rule")
    before: list[str] | None = None
    for row in table.rows:
        said = [row[place] for place in keys]
        shown = ["" if before is not None and before[: n + 1] == said[: n + 1] else value for n, value in enumerate(said)]
        if keys and before is not None and len(keys) > 1 and before[0] != said[0]:
            yield Line("")
        texts = [*shown, *(row[place] for place in places[len(keys) :])]
        yield from (Line(text) for text in _joined(texts, own, rights))
        before = said if len(keys) > 1 else None


def _joined(texts: Sequence[str], widths: Sequence[int], right: frozenset[int]) -> list[str]:
    """One row, in as many lines as its longest cell needs."""
    cells = [wrapped(text, width) for text, width in zip(texts, widths, strict=True)]
    lines = []
    for number in range(max(map(len, cells), default=0)):
        parts = []
        for place, (cell, width) in enumerate(zip(cells, widths, strict=True)):
            text = cell[number] if number < len(cell) else ""
            space = " " * max(0, width - cell_len(text))
            parts.append(space + text if place in right else text + space)
        lines.append((" " * _GAP).join(parts).rstrip())
    return lines
