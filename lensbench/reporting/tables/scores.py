"""Score tables: blocks of runs become sections of cells."""

from __future__ import annotations

from collections.abc import Sequence

from lensbench.metrics import get_metric
from lensbench.numbers.verdict import Verdict
from lensbench.papers import Published
from lensbench.reporting.run_view import RunView
from lensbench.reporting.tables.captions import Shown, caption_of, legend_of, provenance_remarks
from lensbench.reporting.tables.emphasis import column_styles
from lensbench.reporting.tables.gather import Block, Choice, Entry, gather
from lensbench.reporting.tables.layout import Layout, layout_of_spec
from lensbench.reporting.tables.model import Cell, Column, Fields, Mark, Notes, Row, Section, Table, missing
from lensbench.reporting.tables.numbers import Units
from lensbench.reporting.tables.paper_comparison import BlockComparison, compare_block
from lensbench.reporting.tables.schema import ScoreTable
from lensbench.reporting.tables.table_columns import Number, TableColumn, number_of

__all__ = ["score_table"]


def score_table(
    spec: ScoreTable,
    runs: Sequence[RunView],
    choice: Choice,
    published: Sequence[Published] = (),
    paper_backbone: str | None = None,
    *,
    layout: Layout = layout_of_spec,
) -> Table:
    """A table of scores.

    Args:
        published: Papers to set the numbers against.
        paper_backbone: The papers' backbone, where it is not to be the run's own.
        layout: The sections of a block.

    Raises:
        UsageError: see `gather`.
    """
    blocks, warnings = gather(spec, runs, choice)
    notes = Notes()
    sections: list[Section] = []
    compared: list[Section] = []
    shown: list[Shown] = []
    for block in blocks:
        measures = [m for m in spec.measures if not m.optional or any(place[0] == m.id for place in block.asked)]
        parts = layout(spec, block, measures)
        # Once for the fields of the CSV, and once more when the notes of the block itself have their numbers.
        comparison = compare_block(spec, block, parts, published, paper_backbone, Notes())
        for place, part in enumerate(parts):
            numbers = [[number_of(spec, entry, column) for column in part.columns] for entry in block.entries]
            of_columns = [column_styles(spec, block.entries, column) for column in zip(*numbers, strict=True)]
            styles = list(zip(*of_columns, strict=True))
            shown.append(Shown(part, numbers, styles))
            sections.append(_section(spec, block, shown[-1], notes, comparison, first=place == 0))
        compared += compare_block(spec, block, parts, published, paper_backbone, notes).sections
    return Table(
        name=spec.table,
        title=spec.title,
        caption=caption_of(spec, blocks, shown),
        sections=[*sections, *compared],
        notes=notes,
        warnings=warnings,
        remarks=provenance_remarks(blocks),
        legend=legend_of(spec, shown),
    )


def _section(spec: ScoreTable, block: Block, shown: Shown, notes: Notes, comparison: BlockComparison, *, first: bool) -> Section:
    part = shown.part
    rows = [
        Row(
            entry.label,
            tuple(
                _cell(spec, entry, column, number, style, part.title, notes, comparison)
                for column, number, style in zip(part.columns, numbers, styles, strict=True)
            ),
        )
        for entry, numbers, styles in zip(block.entries, shown.numbers, shown.styles, strict=True)
    ]
    # What is true of all sections of a block is said once.
    of_block = [*([block.note] if block.note else []), *block.remarks] if first else []
    columns = [Column(column.title, column.group if part.grouped else "") for column in part.columns]
    return Section(part.title, columns, rows, "", [*of_block, *part.remarks])


def _cell(
    spec: ScoreTable,
    entry: Entry,
    column: TableColumn,
    number: Number,
    style: str,
    title: str,
    notes: Notes,
    comparison: BlockComparison,
) -> Cell:
    fields: Fields = {
        "section": title,
        "row": entry.label,
        "variant": entry.variant,
        "column": column.group,
        "language": column.language,
        "average": column.mean,
        "shown": "",
        "value": None,
        "unit": "",
        "low": None,
        "high": None,
        "delta": None,
        "delta_low": None,
        "delta_high": None,
        "p_holm": None,
        "verdict": None,
        "n": number.n,
        "failures": number.failures,
        "style": "none",
        "note": "",
        **_source(entry, number),
        **comparison.fields(entry, column),
    }
    if number.why or number.value is None:
        return missing(notes, number.why, fields)
    units = Units(number.unit, spec.digits)
    numbered = []
    if number.failures:
        numbered.append(notes.number(f"{number.failures} of {number.n} without a score: {number.states}"))
    if number.planned is not None and number.n is not None and number.n < number.planned:
        numbered.append(notes.number(f"unfinished: {number.n} of {number.planned}"))
    if not column.mean and (tested := number.cells[0][0].tested_instead(number.cells[0][1])):
        name = get_metric(tested).title
        words = name if name != tested else "another reading of the answers"
        numbered.append(notes.number(f"not tested; the test is of {tested} ({words})"))
    if column.mean and number.low is None:
        numbered.append(notes.number("a plain mean of the numbers shown; the run has no interval of it"))
    fields |= {
        "shown": units.text(number.value),
        "unit": units.name,
        "style": style,
        "p_holm": number.p_holm,
        "verdict": number.verdict,
        **{key: units.scaled(getattr(number, key)) for key in ("value", "low", "high", "delta", "delta_low", "delta_high")},
        "note": "; ".join(notes.texts()[n - 1] for n in numbered),
    }
    return Cell(
        units.text(number.value),
        style,
        _mark(number.verdict),
        "" if number.delta is None else units.difference(number.delta),
        _details(units, number),
        tuple(numbered),
        fields,
    )


def _source(entry: Entry, number: Number) -> Fields:
    """Run, profile, protocol and signature of a field; a plain mean of several runs' numbers has no signature."""
    runs = dict.fromkeys(run.short for run, _ in number.cells) or {entry.run.short: None}
    asked = [run.results.task_of(cell).protocol for run, cell in number.cells]
    return {
        "run": "; ".join(runs),
        "profile": "; ".join(dict.fromkeys(cell.profile for _, cell in number.cells)),
        "protocol": "; ".join(dict.fromkeys(str(protocol) for protocol in asked if protocol)),
        "signature": number.signature,
    }


def _mark(verdict: Verdict | None) -> Mark:
    """Only the run's verdict gets a sign; the sign of the difference does not."""
    return verdict if verdict == "better" or verdict == "worse" or verdict == "differs" else ""


def _details(units: Units, number: Number) -> tuple[str, ...]:
    parts = [units.range(number.low, number.high)]
    if number.delta_low is not None:
        parts.append(f"Δ {units.range(number.delta_low, number.delta_high, sign=True)}")
    if number.n is not None:
        parts.append(f"n {number.n}")
    if number.failures:
        parts.append(f"{number.failures} without a score")
    return tuple(part for part in parts if part)
