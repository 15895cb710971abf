"""The marks of a table that all formats share."""

from __future__ import annotations

from lensbench.reporting.tables.model import Cell

__all__ = ["note_mark", "symbol"]

_SYMBOLS = {"": "", "better": "▲", "worse": "▼", "differs": "≠"}


def symbol(cell: Cell) -> str:
    """The sign of the run's verdict; "" for a plain difference."""
    return _SYMBOLS[cell.mark]


def note_mark(number: int) -> str:
    """a, b, ..., z, aa, ab, ... for notes 1, 2, ..."""
    letters = ""
    while number > 0:
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("a") + rest) + letters
    return letters
