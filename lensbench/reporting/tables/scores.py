"""Score tables: blocks of runs become sections of cells."""

from __future__ import annotations

from collections.abc import Sequence

from lensbench.metrics import get_metric
from lensbench.numbers.verdict import direction, is_significant
from lensbench.papers import Published
from lensbench.reporting.run_view import RunView
from lensbench.reporting.tables.captions import caption_of, detectable_remark, provenance_remarks
from lensbench.reporting.tables.gather import Block, Choice, Entry, backbone_title, gather
from lensbench.reporting.tables.model import Cell, Change, Column, Fields, Notes, Row, Section, Table, missing
from lensbench.reporting.tables.numbers import Units
from lensbench.reporting.tables.paper_comparison import BlockComparison, compare_block
from lensbench.reporting.tables.schema import Emphasis, Measure, ScoreTable
from lensbench.reporting.tables.table_columns import Number, TableColumn, number_of, table_columns
from lensbench.spec import BASE

__all__ = ["score_table"]


def score_table(
    spec: ScoreTable,
    runs: Sequence[RunView],
    choice: Choice,
    published: Sequence[Published] = (),
    paper_backbone: str | None = None,
) -> Table:
    """A table of scores.

    Args:
        published: Papers to set the numbers against.
        paper_backbone: The papers' backbone, where it is not to be the run's own.

    Raises:
        UsageError: see `gather`.
    """
    blocks, warnings = gather(spec, runs, choice)
    notes = Notes()
    sections: list[Section] = []
    compared: list[Section] = []
    for block in blocks:
        measures = [m for m in spec.measures if not m.optional or any(place[0] == m.id for place in block.asked)]
        # Once for the fields of the CSV, and once more when the notes of the block itself have their numbers.
        comparison = compare_block(spec, block, measures, published, paper_backbone, Notes())
        sections += _sections(spec, block, measures, notes, comparison)
        compared += compare_block(spec, block, measures, published, paper_backbone, notes).sections
    return Table(
        name=spec.table,
        title=spec.title,
        caption=caption_of(spec, blocks),
        sections=[*sections, *compared],
        notes=notes,
        warnings=warnings,
        remarks=provenance_remarks(blocks),
    )


def _sections(
    spec: ScoreTable, block: Block, measures: Sequence[Measure], notes: Notes, comparison: BlockComparison
) -> list[Section]:
    if spec.columns == "measures":
        columns = table_columns(spec, block, measures)
        return [_section(spec, block, block.title, columns, notes, comparison, grouped=True)]
    backbone = backbone_title(block.runs[0].results.backbone)
    titles = [f"{measure.title}, {backbone}{block.apart}" for measure in measures]
    by_measure = [table_columns(spec, block, [measure]) for measure in measures]
    return [
        _section(spec, block, title, columns, notes, comparison, grouped=False)
        for title, columns in zip(titles, by_measure, strict=True)
    ]


def _section(
    spec: ScoreTable,
    block: Block,
    title: str,
    columns: Sequence[TableColumn],
    notes: Notes,
    comparison: BlockComparison,
    *,
    grouped: bool,
) -> Section:
    numbers = [[number_of(spec, entry, column) for column in columns] for entry in block.entries]
    styles = [_styles(spec, block.entries, [row[place] for row in numbers]) for place in range(len(columns))]
    rows = [
        Row(
            entry.label,
            tuple(
                _cell(spec, entry, column, number, styles[place][row], title, notes, comparison)
                for place, (column, number) in enumerate(zip(columns, numbers[row], strict=True))
            ),
        )
        for row, entry in enumerate(block.entries)
    ]
    remarks = [*([block.note] if block.note else []), *block.remarks, *detectable_remark(spec, columns, numbers)]
    shown = [Column(column.title, column.group if grouped else "") for column in columns]
    return Section(title, shown, rows, "", remarks)


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
    significant = is_significant(number.p_holm, spec.significant)
    delta = "" if number.delta is None else units.signed(number.delta)
    numbered = []
    if number.failures:
        numbered.append(notes.number(f"{number.failures} of {number.n} without a score: {number.states}"))
    if number.planned is not None and number.n is not None and number.n < number.planned:
        numbered.append(notes.number(f"unfinished: {number.n} of {number.planned}"))
    if not column.mean and (tested := number.cells[0][0].tested_instead(number.cells[0][1])):
        title = get_metric(tested).title
        words = title if title != tested else "another reading of the answers"
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
        _change(units, number.delta, number.higher_is_better),
        delta,
        significant,
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


def _change(units: Units, delta: float | None, more: bool | None) -> Change:
    if delta is None:
        return ""
    shown = units.signed(delta)
    if not shown.startswith(("+", "−")):
        return "same"
    return direction(shown.startswith("+"), more)


def _details(units: Units, number: Number) -> tuple[str, ...]:
    parts = [units.range(number.low, number.high)]
    if number.delta_low is not None:
        parts.append(f"Δ {units.range(number.delta_low, number.delta_high, sign=True)}")
    if number.n is not None:
        parts.append(f"n {number.n}")
    if number.failures:
        parts.append(f"{number.failures} without a score")
    return tuple(part for part in parts if part)


def _styles(spec: ScoreTable, entries: Sequence[Entry], numbers: Sequence[Number]) -> list[str]:
    """The style of every row in one column, among the rows that share its base.

    What prints alike is marked alike; where all print alike nothing is marked.
    """
    styles = ["none"] * len(entries)
    for group in dict.fromkeys(entry.group for entry in entries):
        rows = [row for row, entry in enumerate(entries) if entry.group == group]
        for row, style in zip(rows, _ranked(spec, [entries[r] for r in rows], [numbers[r] for r in rows]), strict=True):
            styles[row] = style
    return styles


def _ranked(spec: ScoreTable, entries: Sequence[Entry], numbers: Sequence[Number]) -> list[str]:
    emphasis: Emphasis = spec.emphasis
    printed = [
        None
        if number.value is None or number.why or (emphasis.over == "enhanced" and entry.variant == BASE)
        else float(Units(number.unit, spec.digits).text(number.value).replace("−", "-"))
        for entry, number in zip(entries, numbers, strict=True)
    ]
    ranked = sorted({value for value in printed if value is not None}, reverse=True)
    directions = {number.higher_is_better for number, value in zip(numbers, printed, strict=True) if value is not None}
    if directions == {False}:
        ranked.reverse()
    elif directions != {True}:
        # Nothing tells which is the best.
        return ["none"] * len(printed)
    if len(ranked) < 2:
        return ["none"] * len(printed)
    by_value = {ranked[0]: emphasis.best, ranked[1]: emphasis.second}
    return ["none" if value is None else by_value.get(value, "none") for value in printed]
