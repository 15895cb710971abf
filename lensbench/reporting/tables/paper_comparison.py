"""Our numbers beside a paper's, one line each: ours, theirs, the difference, and whether theirs lies in our interval."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from lensbench.errors import unknown_name
from lensbench.papers import PaperComparison, Published, compare_average_with_paper, compare_with_paper
from lensbench.papers.discrepancies import matching_backbone
from lensbench.papers.paper_comparison import OUTSIDE, UNLIKE, VERDICTS
from lensbench.reporting.tables.gather import Block, Entry, RunCell
from lensbench.reporting.tables.layout import Part
from lensbench.reporting.tables.model import MISSING, Cell, Column, Fields, Notes, Row, Section
from lensbench.reporting.tables.numbers import Units
from lensbench.reporting.tables.other_settings import other_settings
from lensbench.reporting.tables.placed import PlacedTexts
from lensbench.reporting.tables.provenance import cell_facts, run_facts
from lensbench.reporting.tables.schema import ScoreTable
from lensbench.reporting.tables.table_columns import Number, TableColumn, number_of

__all__ = ["BlockComparison", "check_paper_backbone", "compare_block", "difference_text", "verdict_cell"]

_COLUMNS = [
    Column("number", align="left"),
    Column("here"),
    Column("95%", align="left"),
    Column("paper"),
    Column("difference"),
    Column("verdict", align="left"),
]


@dataclass
class BlockComparison:
    """What papers print beside the numbers of a block."""

    sections: list[Section] = field(default_factory=list)
    by_cell: dict[tuple[int, TableColumn], Fields] = field(default_factory=dict)
    empty: Fields = field(default_factory=dict)

    def fields(self, entry: Entry, column: TableColumn) -> Fields:
        """What CSV says of a cell, under a prefix for each paper."""
        return {**self.empty, **self.by_cell.get((id(entry), column), {})}


def check_paper_backbone(published: Sequence[Published], wanted: str | None) -> None:
    """Refuse a backbone that none of the papers has.

    Raises:
        UsageError: with the nearest that one has.
    """
    known = dict.fromkeys(key for paper in published for key in paper.backbones)
    if wanted is not None and wanted not in known:
        raise unknown_name("backbone of a paper", wanted, known)


def compare_block(
    spec: ScoreTable, block: Block, parts: Sequence[Part], published: Sequence[Published], wanted: str | None, notes: Notes
) -> BlockComparison:
    """A section for every paper that prints any number of the block.

    Args:
        wanted: The papers' backbone, where it is not to be the run's own.
    """
    comparison = BlockComparison()
    columns = [column for part in parts for column in part.columns]
    for paper in published:
        name = paper.published
        comparison.empty |= {f"{name}_{key}": None if key in _NUMBERS else "" for key in _FIELDS}
        own = wanted if wanted in paper.backbones else None
        rows, verdicts, settings = [], Counter[str](), PlacedTexts()
        for entry in block.entries:
            for column in columns:
                number = number_of(spec, entry, column)
                found = _of_column(paper, entry, column, number, spec, own)
                if found is None:
                    continue
                verdicts[found.verdict] += 1
                if found.verdict != UNLIKE:
                    settings.add(entry.label, column.name, found.discrepancies)
                comparison.by_cell.setdefault((id(entry), column), {}).update(_fields(name, found))
                rows.append(_row(spec, entry, column, number, found, notes))
        if rows:
            comparison.sections.append(
                Section(
                    f"Beside {paper.title}: {block.title}",
                    _COLUMNS,
                    rows,
                    "",
                    _remarks(paper, block, verdicts, own),
                    in_csv=False,
                    lead=other_settings(settings),
                )
            )
    return comparison


_FIELDS = ("paper", "difference", "outside", "verdict", "other_settings")
_NUMBERS = ("paper", "difference", "outside")


def _fields(name: str, found: PaperComparison) -> Fields:
    values = (
        float(found.paper),
        None if found.difference is None else round(found.difference, 10),
        None if found.outside is None else round(found.outside, 10),
        found.verdict,
        "; ".join([*found.discrepancies, *([f"the paper's number: {found.note}"] if found.note else [])]),
    )
    return {f"{name}_{key}": value for key, value in zip(_FIELDS, values, strict=True)}


def _of_column(
    paper: Published, entry: Entry, column: TableColumn, number: Number, spec: ScoreTable, wanted: str | None
) -> PaperComparison | None:
    if not column.mean:
        there = entry.cells.get(column.places[0])
        return None if there is None else _of_cell(paper, there, wanted)
    if not column.language or number.value is None:
        return None
    tasks = {measure.id: measure.task for measure in spec.measures}
    run, first = number.cells[0]
    return compare_average_with_paper(
        paper,
        run_facts(run),
        run.method(entry.variant),
        column.language,
        first.metric,
        number.value,
        number.low,
        number.high,
        [(tasks[place[0]], _of_cell(paper, entry.cells[place], wanted)) for place in column.places],
        wanted,
    )


def _of_cell(paper: Published, there: RunCell, wanted: str | None) -> PaperComparison | None:
    run, cell = there
    return compare_with_paper(cell_facts(run, cell), paper, wanted)


def _row(spec: ScoreTable, entry: Entry, column: TableColumn, number: Number, found: PaperComparison, notes: Notes) -> Row:
    units = Units(number.unit, spec.digits)
    ours = Cell(MISSING, notes=(notes.number(number.why),)) if number.value is None else Cell(units.text(number.value))
    return Row(
        entry.label,
        (
            Cell(column.name),
            ours,
            Cell(units.range(number.low, number.high) or MISSING),
            Cell(found.paper, notes=(notes.number(f"the paper's number: {found.note}"),) if found.note else ()),
            Cell(MISSING if found.difference is None else difference_text(found.difference, units.digits)),
            _verdict(found, units.digits, notes),
        ),
    )


def difference_text(difference: float, digits: int) -> str:
    text = f"{difference:+.{digits}f}".replace("-", "−")
    return text.lstrip("+−") if float(text.lstrip("+−")) == 0 else text


def _verdict(found: PaperComparison, digits: int, notes: Notes) -> Cell:
    if found.outside is None:
        # Why two numbers are not comparable belongs to them alone; other settings are said once above.
        return verdict_cell(found.verdict, found.discrepancies if found.verdict == UNLIKE else (), notes)
    # With the digits of the paper at least: a distance never rounds to nothing.
    digits = max(digits, len(found.paper.partition(".")[2]))
    return Cell(f"{OUTSIDE} by {found.outside:.{digits}f}", "bold")


def verdict_cell(verdict: str, reasons: Sequence[str], notes: Notes) -> Cell:
    """A verdict, pointing to what must be known of it."""
    return Cell(verdict, notes=tuple(notes.number(one) for one in reasons))


def _remarks(paper: Published, block: Block, verdicts: Counter[str], wanted: str | None) -> list[str]:
    facts = run_facts(block.runs[0])
    key, _ = matching_backbone(paper, facts, wanted)
    tables = sorted({t for table in paper.scores if (t := table.tables.get(key)) is not None})
    counts = ", ".join(f"{verdicts[name]} {name}" for name in VERDICTS if verdicts[name])
    remarks = [
        f"{verdicts.total()} printed numbers: {counts}. Within the interval: the printed number lies in our 95% interval, by "
        "chance or not. Outside: it lies so far from the nearer end. A setting that differs changes no verdict."
    ]
    where = f", Table {' and '.join(map(str, tables))}" if tables else ""
    remarks.append(f"Set against {paper.backbones[key].title} of {paper.source}{where}.")
    methods = {entry.run.method(entry.variant) for entry in block.entries}
    printed = [row.method for table in paper.scores for row in table.rows if row.backbone == key]
    absent = [method for method in dict.fromkeys(printed) if method not in methods]
    if absent:
        remarks.append(f"Printed for variants that are not here: {', '.join(absent)}.")
    return remarks + list(paper.caveats)
