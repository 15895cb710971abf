"""What a view is made of: tables of text, and questions with the sentences that answer them. Each shows itself in a notebook."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lensbench.errors import in_words
from lensbench.printable import printable

__all__ = ["Question", "TextTable", "escaped"]


@dataclass(frozen=True)
class TextTable:
    """A table of text.

    Attributes:
        right: Names of the columns that are aligned right.
        keys: Number of leading columns that say what a row is of; where they repeat, a terminal leaves them out.
        blocks: Number of leading columns that become the title of a block of rows where a terminal is too narrow for the table.
        common: Names of columns that such a title says once where all rows of the block have the same value.
        groups: Title and number of columns of each group after the keys; a narrow terminal never parts the columns of one.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    title: str | None = None
    right: frozenset[str] = frozenset()
    keys: int = 0
    blocks: int = 0
    common: frozenset[str] = frozenset()
    groups: tuple[tuple[str, int], ...] = ()

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{escaped(name)}</th>" for name in self.header)
        body = "".join(f"<tr>{''.join(self._cells(row))}</tr>" for row in self.rows)
        caption = f"<caption>{escaped(self.title)}</caption>" if self.title is not None else ""
        return f"<table>{caption}<thead>{self._group_row()}<tr>{head}</tr></thead><tbody>{body}</tbody></table>"

    def _group_row(self) -> str:
        if not any(title for title, _ in self.groups):
            return ""
        spans = "".join(f'<th colspan="{count}">{escaped(title)}</th>' for title, count in self.groups)
        return f'<tr><th colspan="{self.keys}"></th>{spans}</tr>'

    def _cells(self, row: Sequence[str]) -> Iterator[str]:
        for name, value in zip(self.header, row, strict=True):
            style = ' style="text-align:right"' if name in self.right else ""
            yield f"<td{style}>{escaped(value)}</td>"


@dataclass(frozen=True)
class Question:
    """A question and the sentences that answer it.

    Attributes:
        sentences: Text and tone of each: "better", "worse", "plain" or "warning". The text says the same without the tone.
        flowing: Whether the sentences may stand in one paragraph.
    """

    title: str
    sentences: tuple[tuple[str, str], ...]
    flowing: bool = False

    def _repr_html_(self) -> str:
        items = "".join(f"<li>{escaped(text)}</li>" for text, _ in self.sentences)
        return f"<p><strong>{escaped(self.title)}</strong></p><ul>{items}</ul>"


def escaped(text: object) -> str:
    """Text of files and models as text: neither HTML nor control characters reach the page."""
    return html.escape(printable(in_words(str(text)), one_line=True))
