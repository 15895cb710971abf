"""Our numbers beside a paper's, one line each: ours, theirs, the difference, a verdict and its reasons."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from lensbench.errors import unknown_name
from lensbench.papers import Beside, Published, beside, beside_average
from lensbench.papers.discrepancies import matching_backbone
from lensbench.papers.paper_comparison import EXPLAINED, NO_VALUE, OPEN, UNLIKE, WITHIN
from lensbench.reporting.tables.gather import Block, Entry
from lensbench.reporting.tables.model import MISSING, Cell, Column, Notes, Row, Section
from lensbench.reporting.tables.numbers import Units
from lensbench.reporting.tables.schema import Measure, ScoreTable
from lensbench.reporting.tables.table_columns import Number, Slot, number_of, slots_of

__all__ = ["Comparison", "check_paper_backbone", "compare_block", "difference_text", "verdict_cell"]

_COLUMNS = [
    Column("number", align="left"),
    Column("here"),
    Column("95%", align="left"),
    Column("paper"),
    Column("difference"),
    Column("verdict", align="left"),
]


@dataclass
class Comparison:
    """What papers print beside the numbers of a block."""

    sections: list[Section] = field(default_factory=list)
    by_cell: dict[tuple[int, Slot], dict[str, Any]] = field(default_factory=dict)
    empty: dict[str, Any] = field(default_factory=dict)

    def fields(self, entry: Entry, slot: Slot) -> dict[str, Any]:
        """What CSV says of a cell, under a prefix for each paper."""
        return {**self.empty, **self.by_cell.get((id(entry), slot), {})}


def check_paper_backbone(published: Sequence[Published], wanted: str | None) -> None:
    """Refuse a backbone that none of the papers has.

    Raises:
        UsageError: with the nearest that one has.
    """
    known = dict.fromkeys(key for paper in published for key in paper.backbones)
    if wanted is not None and wanted not in known:
        raise unknown_name("backbone of a paper", wanted, known)


def compare_block(
    spec: ScoreTable, block: Block, measures: Sequence[Measure], published: Sequence[Published], wanted: str | None, notes: Notes
) -> Comparison:
    """A section for every paper that prints any number of the block.

    Args:
        wanted: The papers' backbone, where it is not to be the run's own.
    """
    comparison = Comparison()
    slots = slots_of(spec, block, measures)
    for paper in published:
        name = paper.published
        comparison.empty |= {f"{name}_{key}": None if key in ("paper", "difference") else "" for key in _FIELDS}
        own = wanted if wanted in paper.backbones else None
        rows, verdicts = [], Counter[str]()
        for entry in block.entries:
            known: dict[tuple[str, str], Beside] = {}
            for slot in slots:
                number = number_of(spec, entry, slot)
                found = _of_slot(paper, entry, slot, number, known, spec, own)
                if found is None:
                    continue
                verdicts[found.verdict] += 1
                comparison.by_cell.setdefault((id(entry), slot), {}).update(_fields(name, found))
                rows.append(_row(spec, entry, slot, number, found, notes))
        if rows:
            remarks = _remarks(paper, block, verdicts, own)
            title = f"Beside {paper.title}: {block.title}"
            comparison.sections.append(Section(title, _COLUMNS, rows, "", remarks, in_csv=False))
    return comparison


_FIELDS = ("paper", "difference", "verdict", "reasons")


def _fields(name: str, found: Beside) -> dict[str, Any]:
    difference = None if found.difference is None else round(found.difference, 10)
    values = (float(found.paper), difference, found.verdict, "; ".join([*found.reasons, *([found.note] if found.note else [])]))
    return {f"{name}_{key}": value for key, value in zip(_FIELDS, values, strict=True)}


def _of_slot(
    paper: Published,
    entry: Entry,
    slot: Slot,
    number: Number,
    known: dict[tuple[str, str], Beside],
    spec: ScoreTable,
    wanted: str | None,
) -> Beside | None:
    if not slot.mean:
        if slot.places[0] not in entry.cells:
            return None
        run, cell = entry.cells[slot.places[0]]
        found = beside(run.cell_facts(cell), paper, wanted)
        if found is not None:
            known[slot.places[0]] = found
        return found
    if not slot.language or number.value is None:
        return None
    by_id = {measure.id: measure for measure in spec.measures}
    run, first = number.cells[0]
    return beside_average(
        paper,
        run.facts,
        run.method(entry.variant),
        slot.language,
        first["metric"],
        number.value,
        number.low,
        number.high,
        [(by_id[place[0]].task, known.get(place)) for place in slot.places],
        wanted,
    )


def _row(spec: ScoreTable, entry: Entry, slot: Slot, number: Number, found: Beside, notes: Notes) -> Row:
    units = Units(number.unit, spec.digits)
    ours = Cell(MISSING, notes=(notes.number(number.why),)) if number.value is None else Cell(units.text(number.value))
    return Row(
        entry.label,
        (
            Cell(slot.name),
            ours,
            Cell(units.range(number.low, number.high) or MISSING),
            Cell(found.paper, notes=(notes.number(f"the paper's number: {found.note}"),) if found.note else ()),
            Cell(MISSING if found.difference is None else difference_text(found.difference, units.digits)),
            verdict_cell(found.verdict, found.reasons, notes),
        ),
    )


def difference_text(difference: float, digits: int) -> str:
    text = f"{difference:+.{digits}f}".replace("-", "−")
    return text.lstrip("+−") if float(text.lstrip("+−")) == 0 else text


def verdict_cell(verdict: str, reasons: Sequence[str], notes: Notes) -> Cell:
    """A verdict, pointing to its reasons. One that is open stands out, in type and not in colour."""
    return Cell(verdict, "bold" if verdict == OPEN else "none", notes=tuple(notes.number(reason) for reason in reasons))


def _remarks(paper: Published, block: Block, verdicts: Counter[str], wanted: str | None) -> list[str]:
    facts = block.runs[0].facts
    key, _ = matching_backbone(paper, facts, wanted)
    tables = sorted({t for table in paper.scores if (t := table.tables.get(key)) is not None})
    counts = ", ".join(f"{verdicts[name]} {name}" for name in (WITHIN, EXPLAINED, OPEN, UNLIKE, NO_VALUE) if verdicts[name])
    remarks = [
        f"{verdicts.total()} printed numbers: {counts}. Within the interval: the printed number lies in the 95% interval of "
        "ours; what is unlike is noted all the same, since it may lie there by chance. Explained: the run's provenance gives the "
        "reasons noted. Open: it gives none."
    ]
    where = f", Table {' and '.join(map(str, tables))}" if tables else ""
    remarks.append(f"Set against {paper.backbones[key].title} of {paper.source}{where}.")
    methods = {entry.run.method(entry.variant) for entry in block.entries}
    printed = [row.method for table in paper.scores for row in table.rows if row.backbone == key]
    absent = [method for method in dict.fromkeys(printed) if method not in methods]
    if absent:
        remarks.append(f"Printed for variants that are not here: {', '.join(absent)}.")
    return remarks + list(paper.caveats)
