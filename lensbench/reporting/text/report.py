"""`report.md`: the answer, every number, answers side by side, and what it was made with. Rebuilt from the run folder alone."""

from __future__ import annotations

from collections.abc import Collection

from lensbench.jsonio import json_text
from lensbench.numbers.headline import table_cells
from lensbench.numbers.leaders import ALL
from lensbench.numbers.run_results import Results
from lensbench.printable import printable
from lensbench.records import write_atomically
from lensbench.reporting.answer import Answer, answer_of
from lensbench.reporting.run_view import RunView
from lensbench.reporting.text.answer_tables import endpoint_table, language_tables
from lensbench.reporting.text.answers import answer_lines
from lensbench.reporting.text.cost import COST_HEADER, cost_rows
from lensbench.reporting.text.fidelity import counts_table
from lensbench.reporting.text.matrix import matrix_table, with_base
from lensbench.reporting.text.pick_table import pick_table
from lensbench.reporting.text.result_tables import averages_tables, cells_table, pairs_table
from lensbench.reporting.text.settings_table import settings_tables
from lensbench.reporting.text.statistics import AVERAGES_NOTE
from lensbench.reporting.text.table import notes
from lensbench.spec import BASE
from lensbench.textblocks import TextTable

__all__ = ["write_report"]

_MOST_SETTINGS = 60
"""Rows of a table of settings."""


def write_report(run: RunView) -> None:
    """Write `report.md` from the results and records of a run."""
    folder, results = run.folder, run.results
    spec = folder.spec()
    answer = answer_of(run)
    named = f"{len(spec.variant_names)} variants" if answer.rows.folded else spec.title
    parts = [
        f"# {_escape(named)} on {_escape(results.backbone)}: {', '.join(spec.all_languages)}",
        "",
        *_answer(run, answer),
        *(_settings(run, answer) if answer.rows.folded else [*_averages(results), *_cells(results)]),
        *[f"- {_escape(note)}" for note in notes(results)],
        "",
        *([] if answer.rows.folded else _cost(results)),
        *([] if answer.rows.folded else _matrices(results)),
        *answer_lines(folder, _answering(run, answer)),
        "## Made with",
        "",
        "Signatures of all numbers are in `results.json`.",
        "",
        "```json",
        json_text(run.starts[-1], indent=1),
        "```",
        "",
    ]
    write_atomically(folder.own("report.md"), printable("\n".join(parts)))


def _answer(run: RunView, answer: Answer) -> list[str]:
    """What voids the numbers, the questions with their sentences, and the endpoints."""
    parts = [f"**! {_escape(statement.whole)}**\n" for statement in answer.voids]
    for question, said in answer.questions:
        parts += [f"**{question}**", "", *(f"- {_escape(statement.whole)}" for statement in said), ""]
    endpoints, candidates = endpoint_table(answer), pick_table(run.results)
    tables = [*([endpoints] if endpoints else []), *language_tables(answer), *([candidates] if candidates else [])]
    left_out = [f"{answer.rows.left_out}, below.", ""] if answer.rows.left_out else []
    return [*parts, *(line for table in tables for line in _titled(table)), *left_out]


def _settings(run: RunView, answer: Answer) -> list[str]:
    """The settings of a run with many variants, in place of every average and cell."""
    tables = settings_tables(run.sweep_table, answer.measures, _MOST_SETTINGS)
    lines = [line for table in tables for line in _titled(table)]
    return [
        "## Settings",
        "",
        "Means over the seeds of a setting. kept: no loss in English as large as the margin. front: no other setting, and not "
        "base, is at least as good over the targets and in English, and better in one.",
        "",
        *lines,
        f"Every average, cell, pair and cost of the {len(answer.variants)} variants is in `results.json`; `report.html` shows "
        "averages, cells and costs.",
        "",
    ]


def _cells(results: Results) -> list[str]:
    return [
        "## Cells",
        "",
        "A cell is exploratory: p is of the cell alone. Bold: a paired test tells the best variant from the second best.",
        "",
        *_lines(cells_table(results), bold=_leading(results)),
    ]


def _answering(run: RunView, answer: Answer) -> list[str]:
    """Variants whose answers are shown: all, or of many the base and one of each setting that is shown."""
    if not answer.rows.folded:
        return list(run.results.variants)
    return [BASE, *(setting.variants[0] for setting in answer.rows.settings.values())]


def _leading(results: Results) -> set[int]:
    """Rows of the table of cells whose variant leads among all."""
    return {place for place, cell in enumerate(table_cells(results.cells)) if ALL in cell.leads}


def _titled(table: TextTable) -> list[str]:
    return [*([f"{_escape(table.title)}:", ""] if table.title else []), *_lines(table)]


def _lines(table: TextTable, bold: Collection[int] = ()) -> list[str]:
    """A table as Markdown. The title of a group stands before the name of each of its columns.

    Args:
        bold: Numbers of the rows whose value is bold.
    """
    groups = [title for title, count in table.groups for _ in range(count)]
    names = [*table.header[: table.keys], *table.header[table.keys :]]
    if groups:
        names[table.keys :] = [f"{title}: {name}" for title, name in zip(groups, names[table.keys :], strict=True)]
    value = table.header.index("value") if "value" in table.header else None
    rows = [
        [f"**{text}**" if number in bold and place == value else text for place, text in enumerate(map(_cell, row))]
        for number, row in enumerate(table.rows)
    ]
    rules = ["---:" if name in table.right else "---" for name in table.header]
    return [*("| " + " | ".join(row) + " |" for row in (list(map(_cell, names)), rules, *rows)), ""]


def _averages(results: Results) -> list[str]:
    tables = averages_tables(results)
    pairs = pairs_table(results)
    if not tables:
        return []
    lines = [line for table in (*tables, *([pairs] if pairs else [])) for line in _titled(table)]
    return ["## Averages", "", AVERAGES_NOTE, "", *lines]


def _cost(results: Results) -> list[str]:
    if not results.costs:
        return []
    return ["## What it cost", "", *_lines(TextTable(COST_HEADER, cost_rows(results.costs)))]


def _matrices(results: Results) -> list[str]:
    """Where the answers went; changes to the base in points beside the enhanced variants."""
    found = [one for one in results.matrices if one.matrix.level == "answer"]
    parts = ["## Where the answers went", ""] if found else []
    for identifier in dict.fromkeys(one.identifier for one in results.off_target):
        own = [one for one in results.off_target if one.identifier == identifier]
        parts += [_escape(f"Answers by {identifier}, all turns, in numbers"), ""]
        parts += _lines(TextTable(*counts_table(own, results.degenerate)))
    for matrix, before in with_base(found):
        title, header, rows = matrix_table(matrix, before)
        parts += [_escape(f"{title}; by {matrix.identifier}"), "", *_lines(TextTable(header, rows))]
    return parts


def _escape(text: str) -> str:
    return text.replace("<", "&lt;")


def _cell(text: str) -> str:
    """A text that neither ends its cell nor its row."""
    return printable(_escape(text), one_line=True).replace("|", "\\|")
