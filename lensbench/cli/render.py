"""Tables and sentences on the terminal."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from lensbench.cli.flags import with_flags
from lensbench.cli.layout import table_lines, wrapped
from lensbench.cli.terminal import echo, echo_json
from lensbench.printable import printable

if TYPE_CHECKING:
    from lensbench.api import Question, Run, TextTable, View

__all__ = ["MARKS", "print_answer", "print_json", "print_run", "print_table", "print_text", "print_view", "warn"]

_WIDE = 200
"""Columns assumed where stdout is no terminal: a piped table should not be folded."""
_LONGEST = 120
"""Columns of the longest line of a sentence; longer ones are hard to read."""
_VERDICT = "verdict"
"""A column of this name has no header and its values get a mark."""
_STYLES = {"better": "green", "worse": "red", "warning": "bold yellow", "title": "bold", "header": "bold", "rule": "dim"}
_MARK_STYLES = {"▲": "green", "▼": "red"}

MARKS = {"better": "▲ better", "worse": "▼ worse", "differs": "≠ differs", "not distinguishable": "≈ not distinguishable"}


def console() -> Console:
    """The terminal; where there is none and `COLUMNS` does not say how wide to be, a wide one."""
    found = Console()
    return found if found.is_terminal or "COLUMNS" in os.environ else Console(width=_WIDE)


def warn(lines: Sequence[str]) -> None:
    """Print missing and damaged records on stderr."""
    for line in lines:
        echo(with_flags(line), err=True)


def print_json(content: Any) -> None:
    echo_json(content)


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]], title: str | None = None) -> None:
    """A table of whatever width; where it does not fit, its columns stand below each other, each piece with the first one."""
    from lensbench.api import TextTable

    _print_folded(TextTable(header, rows, title, keys=1))


def print_view(view: View, *, wrap: bool = False) -> None:
    """Tables and sentences in their order.

    Args:
        wrap: Whether sentences are wrapped at the width of the terminal; facts such as paths stand better in one line.
    """
    from lensbench.api import Question

    for block in view.blocks:
        if isinstance(block, Question):
            _print_question(block)
        elif not isinstance(block, str):
            _print_folded(block)
        elif wrap:
            _print_sentence(block)
        else:
            echo(with_flags(block))


def print_answer(view: View) -> None:
    """What a run says first: warnings, questions with their sentences, tables."""
    print_view(view, wrap=True)


def print_run(run: Run, *, everything: bool = False) -> None:
    """The answer of a run, and where the rest is; or the rest."""
    print_answer(run.answer(everything=everything))
    table = run.table(everything=everything)
    if everything:
        print_answer(table)
        return
    warnings = sum(note.startswith("!") for note in table.notes)
    noted = f"{len(table.notes)} notes" + (f", {warnings} of them warnings" if warnings else "")
    echo()
    print_text(f"Every cell, average, pair of variants and cost, and {noted}: lensbench show RUN --all")


def print_text(text: str) -> None:
    """A sentence, wrapped at the width of the terminal."""
    for line in wrapped(printable(with_flags(text), one_line=True), _width(), later="  "):
        _out(Text(line))


def _width() -> int:
    return min(console().width, _LONGEST)


def _print_sentence(text: str) -> None:
    style = _STYLES["warning"] if text.startswith("!") else "dim"
    for line in wrapped(printable(with_flags(text), one_line=True), _width(), later="  "):
        _out(Text(line, style=style))


def _print_question(question: Question) -> None:
    _out(Text(question.title, style="bold"))
    sentences, later = question.sentences, "    "
    if question.flowing:
        sentences, later = ((" ".join(text for text, _ in sentences), "plain"),), "  "
    for text, tone in sentences:
        for line in wrapped(printable(with_flags(text), one_line=True), _width(), first="  ", later=later):
            _out(Text(line, style=_STYLES.get(tone, "")))


def _print_folded(table: TextTable) -> None:
    rows = [
        [MARKS.get(value, value) if name == _VERDICT else value for name, value in zip(table.header, row, strict=True)]
        for row in table.rows
    ]
    header = ["" if name == _VERDICT else name for name in table.header]
    out = console()
    _out(Text())
    for line in table_lines(replace(table, header=header, rows=rows), out.width):
        shown = Text(line.text, style=_STYLES.get(line.kind, ""))
        for mark, style in _MARK_STYLES.items():
            shown.highlight_words([mark], style)
        _out(shown)


def _out(text: Text) -> None:
    """One line that already fits: nothing may break it or cut it."""
    console().print(text, no_wrap=True, overflow="ignore", crop=False)
