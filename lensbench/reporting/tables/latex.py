r"""A table as booktabs LaTeX, to be `\input`: floating tables with short captions; all notes are comments beside them."""

from __future__ import annotations

import re

from lensbench.reporting.tables.escape import latex, one_line
from lensbench.reporting.tables.latex_columns import COLUMN_SEP
from lensbench.reporting.tables.latex_pages import Page, pages
from lensbench.reporting.tables.model import Section, Table
from lensbench.reporting.tables.placed import PlacedTexts

__all__ = ["write_latex"]

_HEAD = r"Needs \usepackage[T1]{fontenc} and \usepackage{booktabs}."
_LONG_WORD = re.compile(r"\S{16,}")
_PIECE = re.compile(r"[^-/_.:=,]{0,12}[-/_.:=,]?")
"""A long word may be broken after such a mark, and after so many characters without one."""


def write_latex(table: Table, *, intervals: bool) -> str:
    lines = _comments(_HEAD, table.title, *table.caption, *(f"! {warning}" for warning in table.warnings))
    number = 0
    for section in table.sections:
        for page in pages(section, intervals=intervals):
            number += 1
            lines += ["", *_comments(*_beside(table, section, page)), *_float(table, section, page, number)]
    if table.remarks:
        lines += ["", *_comments(*table.remarks)]
    return "\n".join(lines) + "\n"


def _comments(*texts: str) -> list[str]:
    """TeX reads nothing of a line after a percent sign, and these texts have no line breaks."""
    return [f"% {one_line(text)}".rstrip() for text in texts]


def _beside(table: Table, section: Section, page: Page) -> list[str]:
    """What the other formats print above and below a section."""
    texts, placed = table.notes.texts(), PlacedTexts()
    for row in page.rows:
        for place in page.columns:
            column = section.columns[place]
            name = f"{column.group} {column.title}".strip()
            placed.add(row.label, name, [texts[n - 1] for n in row.cells[place].notes])
    notes = [f"{where or 'All'}: {text}" for text, where in placed.told()]
    once = [*section.lead, *section.remarks] if page.part == 1 else []
    return [f"{section.title}{_part(page)}", *once, *notes]


def _part(page: Page) -> str:
    return f" ({page.part} of {page.parts})" if page.parts > 1 else ""


def _float(table: Table, section: Section, page: Page, number: int) -> list[str]:
    caption = f"{table.title}. {section.title}{_part(page)}."
    # The marks of scores mean nothing beside a paper's numbers.
    caption += f" {table.legend}" if table.legend and section.in_csv else ""
    rows = [[*page.grid.rows(row)] for row in page.rows]
    if page.grid.spaced:
        rows = [rows[0], *([r"\addlinespace[2pt]", *row] for row in rows[1:])]
    return [
        rf"\begin{{{page.environment}}}[tbp]",
        # Long names in a narrow column: rather wide spaces than a line beyond the margin.
        rf"\centering\setlength{{\emergencystretch}}{{3em}}\setlength{{\tabcolsep}}{{{COLUMN_SEP}pt}}",
        # Classes that expect captions below a figure leave nothing between one above and the first rule.
        r"\setlength{\belowcaptionskip}{4pt}",
        rf"\caption{{{_breakable(caption)}}}",
        rf"\label{{tab:{_label(table.name)}-{number}}}",
        page.size[0],
        rf"\begin{{tabular}}{{{page.grid.spec}}}",
        r"\toprule",
        *page.grid.header(),
        r"\midrule",
        *(line for row in rows for line in row),
        r"\bottomrule",
        r"\end{tabular}",
        rf"\end{{{page.environment}}}",
    ]


def _breakable(text: str) -> str:
    """Escaped; a word that may be longer than a line can be broken."""
    parts, end = [], 0
    text = one_line(text)
    for found in _LONG_WORD.finditer(text):
        parts.append(latex(text[end : found.start()]))
        word, end = found[0], found.end()
        parts.append(r"\allowbreak{}".join(latex(piece) for piece in _PIECE.findall(word) if piece))
    return "".join([*parts, latex(text[end:])])


def _label(name: str) -> str:
    return "".join(c if c.isascii() and c.isalnum() else "-" for c in name)
