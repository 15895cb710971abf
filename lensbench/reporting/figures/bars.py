"""Bars with intervals: languages (or tasks) along x, the backbone and every variant side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lensbench.metrics import Unit
from lensbench.reporting.blocks import BlockCell
from lensbench.reporting.figures.fonts import Label, printable
from lensbench.reporting.figures.panels import Panel, chance_at
from lensbench.reporting.figures.style import COLUMN, PAGE, look_of, new_figure

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_bars", "scale_of"]

_GROUP = 0.86
"""Share of the room of a place along x that its bars fill."""
_NARROWEST, _MARGIN, _HEIGHT = 0.055, 0.45, 1.45
"""Inches: the narrowest bar whose hatch can be seen, room for the y axis, height of a panel."""
_STEP = 0.2
"""Between two lines of the grid, as a share of the highest there can be."""
_MARKS = {"better": "▲", "worse": "▼"}


def scale_of(unit: Unit) -> tuple[float, float]:
    """What a value is multiplied by, and the highest that is shown; infinity where the unit has no highest."""
    return unit.scale, unit.scale * unit.highest


def _tops(panels: Sequence[Panel]) -> dict[Unit, float]:
    """Unit -> top of the axes, one for all panels: the next step above everything drawn."""
    tops = {}
    for unit in {panel.unit for panel in panels}:
        factor, most = scale_of(unit)
        shown = [_top(c) for p in panels if p.unit == unit for c in p.cells.values()]
        highest = factor * max((value for value in shown if value is not None), default=0.0)
        if math.isinf(most):
            tops[unit] = 1.05 * highest if highest > 0 else 1.0
            continue
        tops[unit] = min(most, _STEP * most * max(1, -(-highest // (_STEP * most))))
    return tops


@dataclass(frozen=True)
class _Grid:
    width: float
    rows: int
    columns: int


def draw_bars(panels: Sequence[Panel], labels: dict[str, Label], width: float | None = None) -> Figure:
    """The figure, to be called within `styled()`.

    Args:
        labels: How each language is named.
        width: In inches; None takes one column where the bars have room in it, else a page.
    """
    grid = _grid(panels, labels, width)
    figure = new_figure(grid.width, 0.35 + _HEIGHT * grid.rows)
    axes = figure.subplots(grid.rows, grid.columns, squeeze=False).flatten()
    tops = _tops(panels)
    for number, panel in enumerate(panels):
        draw_panel(axes[number], panel, labels, tops[panel.unit])
        if number % grid.columns and panel.quantity == panels[number - 1].quantity:
            axes[number].set_ylabel("")
    for spare in axes[len(panels) :]:
        spare.remove()
    handles: dict[str, Artist] = {}
    for drawn in axes[: len(panels)]:
        handles.update({text: handle for handle, text in zip(*drawn.get_legend_handles_labels(), strict=True)})
    per_row = _per_row(list(handles), grid.width)
    names = _by_rows(list(handles), per_row)
    figure.legend(
        [handles[name] for name in names],
        names,
        loc="outside upper center",
        ncols=per_row,
        handlelength=1.6,
        handleheight=1.0,
        columnspacing=1.2,
    )
    return figure


def draw_panel(axes: Axes, panel: Panel, labels: dict[str, Label], top: float) -> None:
    """One panel: a bar of the cell's value and whiskers to its low and high for every series that was asked."""
    factor, most = scale_of(panel.unit)
    bar = _GROUP / len(panel.series)
    for order, series in enumerate(panel.series):
        look = look_of(series.look)
        places = [i + (order + 0.5) * bar - _GROUP / 2 for i in range(len(panel.places))]
        cells = [panel.cells.get((series.column, place)) for place in panel.places]
        scored = [
            (x, factor * cell.number.value, cell.number)
            for x, cell in zip(places, cells, strict=True)
            if cell is not None and cell.number.value is not None
        ]
        axes.bar(
            [x for x, _, _ in scored],
            [value for _, value, _ in scored],
            bar,
            label=printable(series.label),
            facecolor=look.fill,
            hatch=look.hatch,
            hatchcolor=look.hatch_colour,
            edgecolor="#202020",
            linewidth=0.4,
        )
        ranged = [
            (x, value, max(0.0, value - factor * one.low), max(0.0, factor * one.high - value))
            for x, value, one in scored
            if one.low is not None and one.high is not None
        ]
        if ranged:
            axes.errorbar(
                [x for x, *_ in ranged],
                [value for _, value, *_ in ranged],
                yerr=[[below for *_, below, _ in ranged], [above for *_, above in ranged]],
                fmt="none",
                ecolor="#000000",
                elinewidth=0.6,
                capsize=1.2,
                capthick=0.6,
                zorder=3,
            )
        for x, cell in zip(places, cells, strict=True):
            if cell is not None:
                _mark(axes, x, cell, factor)
    for number, place in enumerate(panel.places):
        chance = chance_at(panel, place)
        if chance is not None:
            axes.hlines(
                factor * chance, number - _GROUP / 2, number + _GROUP / 2, "#000000", (0, (3, 2)), linewidth=0.8, zorder=4
            )
    title = axes.set_title(printable(panel.title), loc="left")
    if panel.title in labels:
        # A panel of one language is named as the language is.
        title.set_text(labels[panel.title].text)
        title.set_fontfamily(list(labels[panel.title].families))
    axes.set_ylabel(panel.quantity)
    axes.set_ylim(0, top * 1.04)
    if math.isfinite(most):
        ticks = [step * _STEP * most for step in range(round(top / (_STEP * most)) + 1)]
    else:
        ticks = [step * _STEP * top for step in range(6)]
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.grid(axis="y")
    axes.set_xlim(-0.5, len(panel.places) - 0.5)
    axes.set_xticks(range(len(panel.places)), [_place(panel, place, labels) for place in panel.places])
    axes.tick_params(axis="x", length=0)
    for tick, place in zip(axes.get_xticklabels(), panel.places, strict=True):
        if place in labels:
            tick.set_fontfamily(list(labels[place].families))
    if any(label.text != label.code for label in labels.values()):
        # Scripts have unlike heights: aligned at the top, their words would not stand on one line.
        axes.tick_params(axis="x", pad=8)
        for tick in axes.get_xticklabels():
            tick.set_verticalalignment("baseline")


def _mark(axes: Axes, x: float, cell: BlockCell, factor: float) -> None:
    high = _top(cell)
    if cell.number.value is None or high is None:
        axes.annotate("×", (x, 0), ha="center", va="bottom", fontsize=6)
        return
    mark = _MARKS.get(cell.number.verdict or "")
    if mark:
        axes.annotate(
            mark,
            (x, factor * high),
            (0, 1.5),
            textcoords="offset points",
            ha="center",
            va="bottom",
            fontsize=4.5,
            annotation_clip=False,
        )


def _top(cell: BlockCell) -> float | None:
    """Where a bar and its whisker end."""
    return cell.number.value if cell.number.high is None else cell.number.high


def _place(panel: Panel, place: str, labels: dict[str, Label]) -> str:
    if place in panel.names:
        return printable(panel.names[place]).replace(": ", ":\n")
    return labels[place].text


def _grid(panels: Sequence[Panel], labels: dict[str, Label], width: float | None) -> _Grid:
    """As many panels beside each other as leave every bar wide enough."""
    places = [len(p.places) * max((len(p.series) + 1) * _NARROWEST, _text_room(p, labels)) for p in panels]
    need = max(max(places) + _MARGIN, 1.3)
    if width is None:
        width = COLUMN if need <= COLUMN and len(panels) <= 4 else PAGE
    columns = max(1, min(len(panels), int(width / need), 4))
    rows = -(-len(panels) // columns)
    # Five panels in rows of four leave a hole; rows of three are fuller.
    columns = -(-len(panels) // rows)
    return _Grid(width, rows, columns)


def _text_room(panel: Panel, labels: dict[str, Label]) -> float:
    """Inches that the longest name along x takes."""
    return 0.065 * max(len(line) for place in panel.places for line in _place(panel, place, labels).split("\n"))


def _per_row(names: Sequence[str], width: float) -> int:
    longest = max(len(name) for name in names)
    return max(1, min(len(names), int(width / (0.45 + 0.06 * longest))))


def _by_rows(names: Sequence[str], per_row: int) -> list[str]:
    """In the order in which matplotlib, which fills a legend column by column, shows them row by row."""
    return [name for column in range(per_row) for name in names[column::per_row]]
