"""Text that could break a table, and a table that has a text in every place."""

from __future__ import annotations

from lensbench.reporting.tables.model import Cell, Column, Notes, Row, Section, Table

NASTY = [
    "<script>alert(1)</script>",
    "</td></tr></table>",
    "a|b",
    r"a\|b",
    "`x`",
    "**x**",
    "[x](javascript:alert(1))",
    "![x](http://x)",
    "<http://x>",
    "www.example.org",
    "mailto:a@b.c",
    "# x",
    "- x",
    "1. x",
    "2) x",
    "---",
    "===",
    "> x",
    "&amp;",
    "&#60;",
    "~~x~~",
    r"\input{/etc/passwd}",
    "$x$",
    "100%",
    "a & b",
    "a_b^c",
    "{}",
    "[opt]",
    "*",
    "--",
    "---",
    ",,",
    "<<",
    "``",
    "''",
    "!`",
    "?`",
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    " =1",
    "'=1",
    "\u202eabc",
    "\ud800",
    "\x00",
    "a\nb",
    "a\r\nb",
    "中文",
    "العربية",
]


def table_with(text: str) -> Table:
    """A text wherever a table takes one."""
    notes = Notes()
    cell = Cell(text, mark="worse", delta="−1", notes=(notes.number(text),), details=(text,), fields={"row": text, text: text})
    columns = [Column(text, text), Column(text, align="left")]
    section = Section(text, columns, [Row(text, (cell, cell)), Row("x", (cell, cell))], text, [text])
    return Table(text, text, [text], [section], notes, [text], [text])
