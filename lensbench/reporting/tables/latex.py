r"""A table as booktabs LaTeX, to be `\input`: one floating table for every section."""

from __future__ import annotations

from itertools import groupby

from lensbench.reporting.tables.escape import latex
from lensbench.reporting.tables.marks import note_mark
from lensbench.reporting.tables.model import Cell, Section, Table

__all__ = ["write_latex"]

_HEAD = r"""% Needs \usepackage[T1]{fontenc}, \usepackage{booktabs} and \usepackage{graphicx}."""
_SYMBOLS = {
    "better": r"\ensuremath{\uparrow}",
    "worse": r"\ensuremath{\downarrow}",
    "same": r"\ensuremath{=}",
    "differs": r"\ensuremath{\neq}",
}
_LONGEST = 36
"""Rows of one floating table."""
# Only a table wider than the text is made smaller.
_FIT = r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%"


def write_latex(table: Table, *, intervals: bool) -> str:
    parts = [_HEAD]
    texts = table.notes.texts()
    sections = [part for section in table.sections for part in _pages(section)]
    for number, section in enumerate(sections):
        last = number == len(sections) - 1
        parts += _section(table, section, number, intervals, texts, table.remarks if last else [])
    return "\n".join(parts) + "\n"


def _pages(section: Section) -> list[Section]:
    """A floating table does not break over pages; a long section becomes several."""
    starts = range(0, max(len(section.rows), 1), _LONGEST)
    return [
        Section(
            f"{section.title} (continued)" if start else section.title,
            section.columns,
            section.rows[start : start + _LONGEST],
            section.head,
            [] if start else section.remarks,
        )
        for start in starts
    ]


def _section(table: Table, section: Section, number: int, intervals: bool, notes: list[str], remarks: list[str]) -> list[str]:
    head = [f"{table.title}.", *table.caption] if number == 0 else []
    caption = [*head, f"{section.title}."]
    alignment = "l" + "".join("r" if column.align == "right" else "l" for column in section.columns)
    lines = [
        r"\begin{table}[tbp]",
        r"\centering\small",
        rf"\caption{{{latex(' '.join(caption))}}}",
        rf"\label{{tab:{_label(table.name)}-{number + 1}}}",
        _FIT,
        rf"\begin{{tabular}}{{@{{}}{alignment}@{{}}}}",
        r"\toprule",
        *_header(section),
        r"\midrule",
        *(" & ".join([latex(row.label), *(_cell(cell, intervals) for cell in row.cells)]) + r" \\" for row in section.rows),
        r"\bottomrule",
        r"\end{tabular}}",
    ]
    used = sorted({n for row in section.rows for cell in row.cells for n in cell.notes})
    below = [*(f"! {warning}" for warning in table.warnings if number == 0), *section.remarks, *remarks]
    small = [rf"\textsuperscript{{{note_mark(n)}}}\,{latex(notes[n - 1])}" for n in used] + [latex(text) for text in below]
    if small:
        lines += [r"\par\smallskip\footnotesize\raggedright", r"\par ".join(small)]
    return [*lines, r"\end{table}", ""]


def _label(name: str) -> str:
    return "".join(c if c.isascii() and c.isalnum() else "-" for c in name)


def _header(section: Section) -> list[str]:
    titles = " & ".join([latex(section.head), *(latex(column.title) for column in section.columns)]) + r" \\"
    if not any(column.group for column in section.columns):
        return [titles]
    cells, rules, place = [""], [], 2
    for group, columns in groupby(section.columns, key=lambda column: column.group):
        width = len(list(columns))
        cells.append(rf"\multicolumn{{{width}}}{{c}}{{{latex(group)}}}")
        if group:
            rules.append(rf"\cmidrule(lr){{{place}-{place + width - 1}}}")
        place += width
    return [" & ".join(cells) + r" \\", " ".join(rules), titles]


def _cell(cell: Cell, intervals: bool) -> str:
    text = latex(cell.text)
    if cell.style == "bold":
        text = rf"\textbf{{{text}}}"
    elif cell.style == "underline":
        text = rf"\underline{{{text}}}"
    if cell.change:
        text += rf" {{\scriptsize{_SYMBOLS[cell.change]}\,{latex(cell.delta)}}}"
    if cell.significant:
        text += r"\textsuperscript{{*}}"
    if cell.notes:
        text += rf"\textsuperscript{{{','.join(map(note_mark, cell.notes))}}}"
    if intervals and cell.details:
        lines = r" \\ ".join([text, *(rf"\scriptsize {latex(part)}" for part in cell.details)])
        text = rf"\begin{{tabular}}[t]{{@{{}}r@{{}}}}{lines}\end{{tabular}}"
    return text
