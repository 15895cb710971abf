"""A table as GitHub-flavoured Markdown."""

from __future__ import annotations

from lensbench.reporting.tables.escape import markdown, paragraph
from lensbench.reporting.tables.marks import note_mark, symbol
from lensbench.reporting.tables.model import Cell, Section, Table

__all__ = ["write_markdown"]


def write_markdown(table: Table, *, intervals: bool) -> str:
    parts = [f"# {markdown(table.title)}", ""]
    parts += [line for warning in table.warnings for line in (f"**! {markdown(warning)}**", "")]
    parts += [paragraph(" ".join(table.caption)), ""]
    for section in table.sections:
        parts += _section(section, intervals)
    texts = table.notes.texts()
    parts += [f"<sup>{note_mark(number)}</sup> {markdown(text)}<br>" for number, text in enumerate(texts, start=1)]
    parts += [""] if texts else []
    parts += [f"- {paragraph(remark)}" for remark in table.remarks]
    return "\n".join(parts).rstrip("\n") + "\n"


def _section(section: Section, intervals: bool) -> list[str]:
    # Markdown has one line of headers, so the group stands before the title in each.
    titles = [" ".join(part for part in (column.group, column.title) if part) for column in section.columns]
    lines = [f"## {markdown(section.title)}", ""]
    lines += [line for sentence in section.lead for line in (paragraph(sentence), "")]
    lines.append(_line([markdown(section.head), *map(markdown, titles)]))
    lines.append(_line([":---", *("---:" if column.align == "right" else ":---" for column in section.columns)]))
    lines += [_line([markdown(row.label), *(_cell(cell, intervals) for cell in row.cells)]) for row in section.rows]
    lines.append("")
    lines += [line for remark in section.remarks for line in (paragraph(remark), "")]
    return lines


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _cell(cell: Cell, intervals: bool) -> str:
    text = markdown(cell.text)
    if cell.style == "bold":
        text = f"**{text}**"
    elif cell.style == "underline":
        text = f"<u>{text}</u>"
    text += "".join(f" {part}" for part in (symbol(cell), markdown(cell.delta)) if part)
    if cell.notes:
        text += f"<sup>{','.join(map(note_mark, cell.notes))}</sup>"
    if intervals and cell.details:
        text += f"<br>{markdown(', '.join(cell.details))}"
    return text
