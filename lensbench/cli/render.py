"""Tables and sentences on the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from lensbench.cli.flags import with_flags
from lensbench.cli.terminal import echo, echo_json
from lensbench.printable import printable

if TYPE_CHECKING:
    from lensbench.api import TextTable, View

__all__ = ["MARKS", "print_json", "print_results", "print_table", "print_view", "warn"]

_WIDE = 200
"""Columns assumed where stdout is no terminal: a piped table should not be folded."""
_VERDICT = "verdict"
"""A column of this name has no header and its values get a mark."""

MARKS = {"better": "▲ better", "worse": "▼ worse", "differs": "≠ differs", "not distinguishable": "≈ not distinguishable"}


def console() -> Console:
    found = Console()
    return found if found.is_terminal else Console(width=_WIDE)


def warn(lines: Sequence[str]) -> None:
    """Print missing and damaged records on stderr."""
    for line in lines:
        echo(with_flags(line), err=True)


def print_json(content: Any) -> None:
    echo_json(content)


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]], title: str | None = None) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.text import Text

    # Given as Text: rich reads `[...]` in strings as markup.
    said = None if title is None else Text(printable(title, one_line=True))
    table = Table(title=said, box=SIMPLE_HEAD, title_justify="left", pad_edge=False)
    for name in header:
        table.add_column(Text(printable(name, one_line=True)))
    for row in rows:
        table.add_row(*(Text(printable(value, one_line=True)) for value in row))
    console().print(table, markup=False)


def print_view(view: View) -> None:
    """Tables and sentences in their order."""
    for block in view.blocks:
        if isinstance(block, str):
            echo(with_flags(block))
        else:
            print_table(_header(block), _marked(block), block.title)


def print_results(view: View) -> None:
    """The table of a run, with the notes that belong to it."""
    from rich.text import Text

    first, *others = view.blocks
    assert not isinstance(first, str)
    out = console()
    out.print(_grouped(first))
    for block in others:
        if isinstance(block, str):
            out.print(Text(printable(with_flags(block)), style="bold yellow" if block.startswith("!") else "dim"))
        else:
            print_table(_header(block), _marked(block), block.title)


def _grouped(table: TextTable) -> Table:
    """A table whose rows leave out the keys they share with the row above."""
    from rich.box import SIMPLE_HEAD
    from rich.text import Text

    made = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name, shown in zip(table.header, _header(table), strict=True):
        made.add_column(shown, justify="right" if name in table.right else "left", no_wrap=name in ("lang", "value", "n"))
    before: tuple[str, ...] | None = None
    for row in _marked(table):
        keys = tuple(row[: table.keys])
        if before is not None and keys[0] != before[0]:
            made.add_section()
        shown_keys = ("",) * table.keys if keys == before else keys
        made.add_row(*(Text(printable(value, one_line=True)) for value in (*shown_keys, *row[table.keys :])))
        before = keys
    return made


def _header(table: TextTable) -> list[str]:
    return ["" if name == _VERDICT else name for name in table.header]


def _marked(table: TextTable) -> list[list[str]]:
    """Rows with the mark of their verdict; a verdict that has none is left as it is, and no verdict is nothing."""
    return [
        [MARKS.get(value, value) if name == _VERDICT else value for name, value in zip(table.header, row, strict=True)]
        for row in table.rows
    ]
