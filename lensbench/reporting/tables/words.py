"""The sentences of a score table: what its marks mean, what its averages are of, where its numbers come from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from lensbench.reporting.tables.gather import Block
from lensbench.reporting.tables.numbers import Units
from lensbench.reporting.tables.runs import unit_of
from lensbench.reporting.tables.schema import ScoreTable
from lensbench.reporting.tables.slots import Number, Slot, code_in_print, slots_of

__all__ = ["caption_of", "detectable_remark", "provenance_remarks"]


def caption_of(spec: ScoreTable, blocks: Sequence[Block]) -> list[str]:
    """What the table shows, and how to read its marks."""
    said = [f"{spec.title}.", spec.about]
    if spec.like:
        said.append(f"After {spec.like}.")
    units = {unit_of(cell) for block in blocks for entry in block.entries for _, cell in entry.cells.values()}
    said.append("Shares are in percent." if units == {"share"} else "Shares are in percent, ratings in points of the judge's scale.")
    said += _marks(spec, blocks)
    said += _averages(spec, blocks)
    return said


def _marks(spec: ScoreTable, blocks: Sequence[Block]) -> list[str]:
    emphasis = spec.emphasis
    names = {"bold": "Bold", "underline": "Underlined"}
    said = []
    styled = [(emphasis.best, "the best"), (emphasis.second, "the second best")]
    marks = [f"{names[style]}: {what} of a column" for style, what in styled if style != "none"]
    if marks:
        among = "the base included" if emphasis.over == "all" else "among enhanced variants"
        said.append(f"{'; '.join(marks)}, {among}; rows that print alike are marked alike.")
    said.append("▲ better and ▼ worse than the base, with the paired difference; = the same in print.")
    p_values = [c.get("p_holm") for b in blocks for e in b.entries for _, c in e.cells.values() if c.get("delta") is not None]
    if any(p is not None for p in p_values):
        said.append(f"* p < {spec.significant:g} after Holm over the tests of a variant.")
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
    return ["A true difference of this size is found in four cases of five, a smaller one more often missed: " + ", ".join(found) + "."]


def provenance_remarks(blocks: Sequence[Block]) -> list[str]:
    """Where rows, labels and ratings come from, and what the runs say against themselves."""
    grouped: dict[str, dict[str, None]] = defaultdict(dict)
    for block in blocks:
        for entry in block.entries:
            for run, cell in entry.cells.values():
                about = run.about(cell["task"], cell["language"]) or {}
                name = f"{about.get('title', cell['task'])} {code_in_print(cell['language'])}"
                origin = about.get("origin") or {}
                grouped[f"Profile {cell['profile']}"][str(about.get("title", cell["task"]))] = None
                for text in (
                    f"{origin.get('name')}: {origin['warning']}" if origin.get("warning") else None,
                    f"Rows are a stand-in, {origin['stand_in']}" if origin.get("stand_in") else None,
                    f"Rows of {about['substitute']} stand in" if about.get("substitute") else None,
                    f"Answers cut after {about['max_new_tokens']} new tokens" if about.get("max_new_tokens") else None,
                    f"{'Rated' if unit_of(cell) == 'rating' else 'Language identified'} by {cell['source']}"
                    if cell.get("source")
                    else None,
                ):
                    if text:
                        grouped[text][name] = None
    remarks = [f"{text}: {', '.join(names)}." for text, names in grouped.items()]
    noted = {
        f"{entry.label}: {about['note']}": None
        for block in blocks
        for entry in block.entries
        if (about := entry.run.variants.get(entry.variant, {})).get("note")
    }
    return remarks + list(noted)
