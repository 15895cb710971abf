"""The sentences of a score table: what its marks mean, what its averages are of, where its numbers come from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from lensbench.metrics import SHARE, UNITS, metric_of
from lensbench.records import TaskKey
from lensbench.reporting.tables.gather import Block
from lensbench.reporting.tables.numbers import Units
from lensbench.reporting.tables.runs import TableRun
from lensbench.reporting.tables.schema import ScoreTable
from lensbench.reporting.tables.table_columns import Number, Slot, code_in_print, slots_of
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
    differing = [(run, c) for b in blocks for e in b.entries for run, c in e.cells.values() if c.get("delta") is not None]
    titles = {measure.id: measure.title for measure in spec.measures}
    down = dict.fromkeys(
        titles[key]
        for block in blocks
        for entry in block.entries
        for (key, _), (_, cell) in entry.cells.items()
        if metric_of(cell).higher_is_better is False
    )
    if down:
        said.append(f"Lower is better: {', '.join(down)}.")
    p_values = [c.get("p_holm") for _, c in differing]
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
        for slot in slots_of(spec, block, spec.measures):
            if slot.mean and slot.language and len(slot.places) > 1:
                of = ", ".join(titles[key] for key, _ in slot.places)
                said[f"{slot.name}: the mean of {of}, each task counting alike."] = None
            elif slot.mean and not slot.language and len(slot.places) > 1:
                said[f"{slot.title}: the mean over the target languages, each counting alike, English left out."] = None
    return list(said)


def detectable_remark(spec: ScoreTable, slots: Sequence[Slot], numbers: Sequence[Sequence[Number]]) -> list[str]:
    """What differences a section of this size can find, in plain words; nothing where the runs do not say."""
    found = []
    for column, slot in enumerate(slots):
        known = [row[column] for row in numbers if row[column].smallest_detectable is not None]
        if known:
            largest = max(known, key=lambda number: number.smallest_detectable or 0.0)
            assert largest.smallest_detectable is not None
            found.append(f"{slot.name} {Units(largest.unit, spec.digits).text(largest.smallest_detectable)}")
    if not found:
        return []
    said = "A true difference of this size is found in four cases of five, a smaller one is missed more often"
    return [f"{said}: {', '.join(found)}."]


def provenance_remarks(blocks: Sequence[Block]) -> list[str]:
    """Under which profiles and by whom it was graded, and all that the runs say against the numbers shown."""
    grouped: dict[str, dict[str, None]] = defaultdict(dict)
    shown: dict[str, tuple[TableRun, list[Mapping[str, Any]]]] = {}
    for block in blocks:
        for entry in block.entries:
            for run, cell in entry.cells.values():
                shown.setdefault(run.name, (run, []))[1].append(cell)
                about = run.about(cell["task"], cell["language"]) or {}
                title = str(about.get("title", cell["task"]))
                grouped[f"Profile {cell['profile']}"][title] = None
                if cell.get("source"):
                    grouped[f"{metric_of(cell).basis.graded} by {cell['source']}"][
                        f"{title} {code_in_print(cell['language'])}"
                    ] = None
                if about.get("substitute"):
                    grouped[f"Rows of {about['substitute']} stand in"][f"{title} {code_in_print(cell['language'])}"] = None
    remarks = [f"{text}: {', '.join(names)}." for text, names in grouped.items()]
    for run, cells in shown.values():
        remarks += [f"{run.label}: {note}" if run.label else note for note in _against(run, cells)]
    return remarks


def _against(run: TableRun, cells: Sequence[Mapping[str, Any]]) -> list[str]:
    """The warnings of a run that concern these cells."""
    places = dict.fromkeys(str(TaskKey(cell["task"], cell["language"])) for cell in cells)
    results = {
        **run.results,
        "cells": list(cells),
        "tasks": {place: about for place in places if (about := run.results["tasks"].get(place)) is not None},
        "overlap": [o for o in run.results.get("overlap", ()) if str(TaskKey(o["task"], o["language"])) in places],
    }
    return [note for note in notes(results) if note.startswith("!")]
