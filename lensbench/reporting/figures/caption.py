"""What stands under a figure: how many items, what the whiskers are, what has no score."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from lensbench.metrics import metric_of
from lensbench.numbers.average import Average
from lensbench.numbers.verdict import EXPLORATORY
from lensbench.reporting.blocks import BlockCell
from lensbench.reporting.figures.panels import Panel

__all__ = ["cells_sentences", "panels_caption"]


def panels_caption(subject: str, panels: Sequence[Panel]) -> str:
    """The caption of a figure of bars or lines."""
    shown: dict[str, list[BlockCell]] = {}
    for panel in panels:
        columns = {series.column for series in panel.series}
        for (column, place), cell in panel.cells.items():
            if column in columns and place in panel.places:
                shown.setdefault(panel.names.get(place, panel.title), []).append(cell)
    notes = [f"{panel.title}: {panel.note}." for panel in panels if panel.note]
    return " ".join([subject, *cells_sentences(shown), *notes])


def cells_sentences(groups: Mapping[str, Sequence[BlockCell]]) -> list[str]:
    """Sentences on n, intervals, marks and what is missing, from the cells that are shown, by name of their task."""
    cells = [cell for group in groups.values() for cell in group]
    sentences = [_counts(groups)]
    if any(cell.number.low is not None for cell in cells):
        sentences.append(f"Whiskers are 95% intervals ({_interval_kinds(cells)}).")
    verdicts = {cell.number.verdict for cell in cells} - {None}
    if verdicts - {EXPLORATORY}:
        sentences.append("▲ and ▼: the run's verdict, better or worse than base.")
    if EXPLORATORY in verdicts:
        sentences.append("Only the run's endpoints and their languages have a verdict; every other value is exploratory.")
    # A mean's items are those of its tasks: where these are shown too, they are not counted twice.
    single = [cell for cell in cells if not isinstance(cell.number, Average)]
    counted = single if any(not cell.number.source for cell in single) else cells
    failures, asked = sum(cell.failures or 0 for cell in counted), sum(cell.n for cell in counted)
    if failures:
        states = _states(counted)
        sentences.append(f"Without a score, and in no mean: {failures} of {asked} ({states}).")
    elif any(cell.failures is None for cell in counted):
        sentences.append("How many items have no score is not recorded.")
    else:
        sentences.append("Every item has a score.")
    short = [cell for cell in cells if cell.n < cell.planned]
    if short:
        sentences.append(f"Unfinished: {len(short)} of {len(cells)} values stand for a part of their items.")
    if any(cell.number.value is None for cell in cells):
        sentences.append("×: no item has a score.")
    return sentences


def _counts(groups: Mapping[str, Sequence[BlockCell]]) -> str:
    ranges: dict[str, list[str]] = {}
    for name, cells in groups.items():
        ranges.setdefault(_range(cell.n for cell in cells), []).append(name)
    if len(ranges) == 1:
        return f"n = {next(iter(ranges))} per value."
    return "n per value: " + "; ".join(f"{n} ({', '.join(names)})" for n, names in ranges.items()) + "."


def _range(numbers: Iterable[int]) -> str:
    found = sorted(set(numbers))
    return str(found[0]) if len(found) == 1 else f"{found[0]} to {found[-1]}"


def _interval_kinds(cells: Sequence[BlockCell]) -> str:
    """As `results.json` makes them: Wilson where every item is right or wrong and stands alone, else a bootstrap."""
    return "; ".join(dict.fromkeys(map(_kind, cells)))


def _kind(cell: BlockCell) -> str:
    if isinstance(cell.number, Average):
        return "bootstrap over source items for means of tasks"
    if cell.number.given:
        return "given by lm-eval as 1.96 standard errors"
    return metric_of(cell.number).unit.interval


def _states(cells: Sequence[BlockCell]) -> str:
    totals: dict[str, int] = {}
    for cell in cells:
        if cell.failures:
            for state, count in cell.states.items():
                if state not in ("ok", "empty"):
                    totals[state] = totals.get(state, 0) + count
    return ", ".join(f"{count} {state.replace('_', ' ')}" for state, count in sorted(totals.items()))
