"""The sentences of a score table: what its marks mean, what its averages are of, where its numbers come from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from lensbench.metrics import SHARE, UNITS, metric_of
from lensbench.numbers.cell import Cell
from lensbench.records import TaskKey
from lensbench.reporting.run_view import RunView
from lensbench.reporting.tables.gather import Block
from lensbench.reporting.tables.numbers import Units
from lensbench.reporting.tables.schema import ScoreTable
from lensbench.reporting.tables.table_columns import Number, TableColumn, code_in_print, table_columns
from lensbench.reporting.text.table import notes

__all__ = ["caption_of", "detectable_remark", "provenance_remarks"]


def caption_of(spec: ScoreTable, blocks: Sequence[Block]) -> list[str]:
    """What the table shows, and how to read its marks."""
    said = [spec.about]
    if spec.like:
        said.append(f"After {spec.like}.")
    units = {metric_of(cell).unit for block in blocks for entry in block.entries for _, cell in entry.cells.values()}
    legends = [unit.legend for unit in UNITS.values() if unit.legend and unit in {SHARE, *units}]
    said.append(f"{', '.join(legends).capitalize()}.")
    said += _marks(spec, blocks)
    said += _averages(spec, blocks)
    return said


def _marks(spec: ScoreTable, blocks: Sequence[Block]) -> list[str]:
    emphasis = spec.emphasis
    names = {"bold": "bold", "underline": "underlined"}
    said = []
    styled = [(emphasis.best, "the best"), (emphasis.second, "the second best")]
    marks = [f"{what} is {names[style]}" for style, what in styled if style != "none"]
    if marks:
        among = "the base included" if emphasis.over == "all" else "among enhanced variants"
        said.append(f"In each column, {among}, {' and '.join(marks)}; what prints alike is marked alike.")
    said.append("▲ better and ▼ worse than the base, with the paired difference; = the same in print.")
    differing = [(run, c) for b in blocks for e in b.entries for run, c in e.cells.values() if c.delta is not None]
    titles = {measure.id: measure.title for measure in spec.measures}
    down = dict.fromkeys(
        titles[key]
        for block in blocks
        for entry in block.entries
        for (key, _), (_, cell) in entry.cells.items()
        if cell.higher_is_better is False
    )
    if down:
        said.append(f"Lower is better: {', '.join(down)}.")
    p_values = [c.p_value for _, c in differing]
    if any(p is not None for p in p_values):
        said.append(f"* p < {spec.significant:g} after Holm over the tests of a variant.")
        if any(run.tested_instead(c) for run, c in differing):
            said.append("What has a note that it was not tested is never marked so, whatever its size.")
    elif p_values:
        said.append("The runs recorded no p-values, so no difference is marked as significant.")
    return said


def _averages(spec: ScoreTable, blocks: Sequence[Block]) -> list[str]:
    titles = {measure.id: measure.title for measure in spec.measures}
    said: dict[str, None] = {}
    for block in blocks:
        for column in table_columns(spec, block, spec.measures):
            if column.mean and column.language and len(column.places) > 1:
                of = ", ".join(titles[key] for key, _ in column.places)
                said[f"{column.name}: the mean of {of}, each task counting alike."] = None
            elif column.mean and not column.language and len(column.places) > 1:
                said[f"{column.title}: the mean over the target languages, each counting alike, English left out."] = None
    return list(said)


def detectable_remark(spec: ScoreTable, columns: Sequence[TableColumn], numbers: Sequence[Sequence[Number]]) -> list[str]:
    """What differences a section of this size can find, in plain words; nothing where the runs do not say."""
    found = []
    for place, column in enumerate(columns):
        known = [row[place] for row in numbers if row[place].smallest_detectable is not None]
        if known:
            largest = max(known, key=lambda number: number.smallest_detectable or 0.0)
            assert largest.smallest_detectable is not None
            found.append(f"{column.name} {Units(largest.unit, spec.digits).text(largest.smallest_detectable)}")
    if not found:
        return []
    said = "A true difference of this size is detected in four of five cases; a smaller one is missed more often"
    return [f"{said}: {', '.join(found)}."]


def provenance_remarks(blocks: Sequence[Block]) -> list[str]:
    """Under which profiles and by whom it was graded, and all that the runs say against the numbers shown."""
    grouped: dict[str, dict[str, None]] = defaultdict(dict)
    shown: dict[str, tuple[RunView, list[Cell]]] = {}
    for block in blocks:
        for entry in block.entries:
            for run, cell in entry.cells.values():
                shown.setdefault(run.name, (run, []))[1].append(cell)
                facts = run.results.task_of(cell)
                title = facts.title
                grouped[f"Profile {cell.profile}"][title] = None
                if cell.source:
                    grouped[f"{metric_of(cell).basis.graded} by {cell.source}"][f"{title} {code_in_print(cell.language)}"] = None
                if facts.substitute:
                    grouped[f"Rows of {facts.substitute} stand in"][f"{title} {code_in_print(cell.language)}"] = None
    remarks = [f"{text}: {', '.join(names)}." for text, names in grouped.items()]
    for run, cells in shown.values():
        remarks += [f"{run.label}: {note}" if run.label else note for note in _against(run, cells)]
    return remarks


def _against(run: RunView, cells: Sequence[Cell]) -> list[str]:
    """The warnings of a run that concern these cells."""
    places = dict.fromkeys(cell.key for cell in cells)
    of_these = replace(
        run.results,
        cells=tuple(cells),
        tasks={place: run.results.tasks[place] for place in places},
        overlap=tuple(shared for shared in run.results.overlap if TaskKey(shared.task, shared.language) in places),
    )
    return [note for note in notes(of_these) if note.startswith("!")]
