"""A table as an HTML page without a script: it opens from disk, and can be read by ear and in black and white."""

from __future__ import annotations

from itertools import groupby

from markupsafe import Markup

from lensbench.content import content_dir
from lensbench.reporting.tables.escape import html_text
from lensbench.reporting.tables.marks import note_mark, symbol
from lensbench.reporting.tables.model import Cell, Column, Section, Table

__all__ = ["write_html"]

_SAID = {"better": "better by", "worse": "worse by", "differs": "differs by"}


def write_html(table: Table, *, intervals: bool) -> str:
    from jinja2 import Environment, StrictUndefined

    source = (content_dir("reports") / "html" / "table.html.jinja").read_text(encoding="utf-8")
    template = Environment(autoescape=True, undefined=StrictUndefined).from_string(source)
    page = template.render(
        title=html_text(table.title),
        caption=html_text(" ".join(table.caption)),
        warnings=list(map(html_text, table.warnings)),
        sections=[_section(section, intervals) for section in table.sections],
        notes=list(map(html_text, table.notes.texts())),
        remarks=list(map(html_text, table.remarks)),
    )
    return page.rstrip("\n") + "\n"


def _section(section: Section, intervals: bool) -> dict[str, object]:
    groups = [(html_text(group), len(list(columns))) for group, columns in groupby(section.columns, key=lambda c: c.group)]
    return {
        "title": html_text(section.title),
        "head": html_text(section.head),
        "groups": groups if any(group for group, _ in groups) else [],
        "columns": [{"title": html_text(column.title), "left": column.align == "left"} for column in section.columns],
        "rows": [
            {
                "label": html_text(row.label),
                "cells": [_cell(cell, column, intervals) for cell, column in zip(row.cells, section.columns, strict=True)],
            }
            for row in section.rows
        ],
        "lead": list(map(html_text, section.lead)),
        "remarks": list(map(html_text, section.remarks)),
    }


def _cell(cell: Cell, column: Column, intervals: bool) -> dict[str, object]:
    html = html_text(cell.text)
    if cell.style == "bold":
        html = Markup("<strong>{}</strong>").format(html)
    elif cell.style == "underline":
        html = Markup("<u>{}</u>").format(html)
    if cell.mark:
        html += Markup(' <small><span aria-hidden="true">{}</span><span class="seen">{}</span> {}</small>').format(
            symbol(cell), _SAID[cell.mark], html_text(cell.delta)
        )
    elif cell.delta:
        html += Markup(" <small>{}</small>").format(html_text(cell.delta))
    if cell.notes:
        links = [Markup('<a href="#note-{}">{}</a>').format(number, note_mark(number)) for number in cell.notes]
        html += Markup("<sup>{}</sup>").format(Markup(",").join(links))
    if column.align == "right":
        html = Markup('<span class="number">{}</span>').format(html)
    if intervals and cell.details:
        html += Markup("").join(Markup('<small class="details">{}</small>').format(html_text(part)) for part in cell.details)
    return {"html": html, "left": column.align == "left"}
