"""Lines with interval ribbons: a score against a switch of the method, a line for each language."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lensbench.metrics import Unit
from lensbench.reporting.blocks import BlockCell
from lensbench.reporting.figures.bars import scale_of
from lensbench.reporting.figures.fonts import Label, printable
from lensbench.reporting.figures.seed_means import SeedMean
from lensbench.reporting.figures.style import COLUMN, LOOKS, PAGE, new_figure
from lensbench.reporting.figures.sweeps import Sweep

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

__all__ = ["LINE_LOOKS", "LinePanel", "draw_lines", "draw_seeds", "positions_of", "seed_handle", "set_ticks"]

LINE_LOOKS = [LOOKS[number] for number in (1, 5, 3, 7, 2, 8, 6, 4)]
"""For lines on white: the dark fills first; the pale grey of the backbone's bars is left out."""
_PANEL, _HEIGHT = 2.2, 1.5
_APART = 0.08
"""Share of the axis that a number along x takes."""
_DECADES = 30
"""A switch whose positive values span more than this factor is shown on a logarithmic axis."""


@dataclass
class LinePanel:
    """One pair of axes.

    Attributes:
        cells: (language, number of the point in the sweep) -> cell.
        base: Language -> the untouched backbone's cell, where all runs have the same value.
        unlike: Languages in which they have not.
        seeds: (language, numbers of the points that are seeds of one setting) -> these as one.
    """

    title: str
    unit: Unit
    quantity: str
    sweep: Sweep
    languages: list[str]
    cells: dict[tuple[str, int], BlockCell]
    base: dict[str, BlockCell]
    unlike: list[str]
    seeds: dict[tuple[str, tuple[int, ...]], SeedMean] = field(default_factory=dict)

    @property
    def all_seeds(self) -> bool:
        """Whether every point is a seed of a setting with several."""
        return {(code, number) for code, own in self.seeds for number in own} == set(self.cells)

    def points(self, code: str) -> list[tuple[int, float, float | None, float | None]]:
        """Number of a point, value and interval of what the line of a language goes through: seeds of one setting are one."""
        together = {own[0]: mean for (language, own), mean in self.seeds.items() if language == code}
        later = {number for (language, own) in self.seeds if language == code for number in own[1:]}
        found: list[tuple[int, float, float | None, float | None]] = []
        for number in range(len(self.sweep.points)):
            mean = together.get(number)
            cell = self.cells.get((code, number))
            if mean is not None:
                found.append((number, mean.value, mean.low, mean.high))
            elif number not in later and cell is not None and cell.number.value is not None:
                found.append((number, cell.number.value, cell.number.low, cell.number.high))
        return found


def draw_lines(rows: Sequence[Sequence[LinePanel]], labels: dict[str, Label], width: float | None = None) -> Figure:
    """The figure, to be called within `styled()`: a row for each task, a column for each switch."""
    columns = max(len(row) for row in rows)
    across = columns
    panels = [panel for row in rows for panel in row]
    if columns == 1:
        # One switch: the tasks themselves stand side by side.
        wide = width or PAGE
        across = max(1, min(len(panels), int(wide / _PANEL)))
        across = -(-len(panels) // -(-len(panels) // across))
        rows = [panels[start : start + across] for start in range(0, len(panels), across)]
    width = width or min(PAGE, COLUMN if across == 1 else _PANEL * across + 0.2)
    figure = new_figure(width, 0.35 + _HEIGHT * len(rows))
    grid = figure.subplots(len(rows), across, squeeze=False, sharey="row" if columns > 1 else False)
    order = list(dict.fromkeys(code for panel in panels for code in panel.languages))
    for row, drawn in zip(rows, grid, strict=True):
        for place, axes in enumerate(drawn):
            if place >= len(row):
                axes.remove()
                continue
            _draw(axes, row[place], order, labels)
            if columns > 1 and place:
                axes.set_ylabel("")
        if columns > 1:
            _bound(drawn[: len(row)], row)
        else:
            for axes, panel in zip(drawn, row, strict=False):
                _bound([axes], [panel])
    _legend(figure, order, labels, any(panel.base for panel in panels), any(panel.seeds for panel in panels))
    return figure


def _draw(axes: Axes, panel: LinePanel, order: Sequence[str], labels: dict[str, Label]) -> None:
    factor, _ = scale_of(panel.unit)
    positions = positions_of(panel.sweep)
    for code in panel.languages:
        look = LINE_LOOKS[order.index(code) % len(LINE_LOOKS)]
        points = [(positions[i], factor * value, low, high) for i, value, low, high in panel.points(code)]
        joined = len({x for x, *_ in points}) == len(points)
        style = look.dash if joined and panel.sweep.numeric else "none"
        axes.plot(
            [x for x, *_ in points],
            [value for _, value, *_ in points],
            linestyle=style,
            marker=look.marker,
            color=look.fill,
            markersize=3.2,
            markeredgecolor="#202020",
            markeredgewidth=0.4,
            label=code,
            zorder=3,
        )
        for own in (own for language, own in panel.seeds if language == code):
            seeds = [factor * value for value in panel.seeds[code, own].seeds]
            draw_seeds(axes, [positions[own[0]]] * len(seeds), seeds, look.fill)
        ranged = [(x, factor * low, factor * high) for x, _, low, high in points if low is not None and high is not None]
        places, low, high = [x for x, _, _ in ranged], [low for _, low, _ in ranged], [high for *_, high in ranged]
        if style != "none":
            axes.fill_between(places, low, high, color=look.fill, alpha=0.18, linewidth=0)
        else:
            axes.vlines(places, low, high, color=look.fill, linewidth=0.7)
        base = panel.base.get(code)
        if base is not None and base.number.value is not None:
            axes.axhline(factor * base.number.value, color=look.fill, linewidth=0.7, linestyle=(0, (1, 2)), zorder=1)
    axes.set_title(printable(panel.title), loc="left")
    axes.set_ylabel(panel.quantity)
    axes.set_xlabel("first changed block" if panel.sweep.field == "start_layer" else printable(panel.sweep.field))
    set_ticks(axes, panel.sweep, positions)
    axes.grid(axis="y")


def _bound(drawn: Sequence[Axes], row: Sequence[LinePanel]) -> None:
    """Room around what is drawn, but none below nothing or above all."""
    factor, top = scale_of(row[0].unit)
    known = math.isfinite(top)
    numbers = [cell.number for panel in row for cell in (*panel.cells.values(), *panel.base.values())]
    ends = [end for one in numbers for end in (one.value, one.low, one.high)]
    ends += [end for panel in row for mean in panel.seeds.values() for end in (mean.low, mean.high)]
    shown = [factor * end for end in ends if end is not None]
    if not shown:
        return
    room = max(0.08 * (max(shown) - min(shown)), 0.01 * top if known else 1e-3)
    for axes in drawn:
        axes.set_ylim(max(0.0 if known else -math.inf, min(shown) - room), min(1.02 * top, max(shown) + room))


def draw_seeds(axes: Axes, places: Sequence[float], values: Sequence[float], colour: str) -> None:
    """Each seed as a small ring at the value that it shares with the others."""
    axes.plot(
        places,
        values,
        linestyle="none",
        marker="o",
        markersize=2.2,
        markerfacecolor="#ffffff",
        markeredgecolor=colour,
        markeredgewidth=0.6,
        label="_seeds",
        zorder=4,
    )


def positions_of(sweep: Sweep) -> list[float]:
    if sweep.numeric:
        return [float(value) for value, _, _ in sweep.points]
    names = list(dict.fromkeys(str(value) for value, _, _ in sweep.points))
    return [float(names.index(str(value))) for value, _, _ in sweep.points]


def set_ticks(axes: Axes, sweep: Sweep, positions: Sequence[float]) -> None:
    if not sweep.numeric:
        names = list(dict.fromkeys(str(value) for value, _, _ in sweep.points))
        axes.set_xticks(range(len(names)), [printable(name) for name in names])
        axes.set_xlim(-0.5, len(names) - 0.5)
        return
    marks = sorted(set(positions))
    if marks[0] > 0 and marks[-1] / marks[0] > _DECADES:
        axes.set_xscale("log")
        axes.minorticks_off()
    # A name for every run, unless it would touch the one before.
    apart = _APART * (marks[-1] - marks[0])
    named: list[float] = []
    for mark in reversed(marks):
        if not named or named[-1] - mark >= apart or axes.get_xscale() == "log":
            named.append(mark)
    axes.set_xticks(marks, [f"{mark:g}" if mark in named else "" for mark in marks])


def seed_handle() -> Line2D:
    """What a single seed looks like, for a legend."""
    from matplotlib.lines import Line2D

    ring = {"markersize": 2.2, "markerfacecolor": "#ffffff", "markeredgecolor": "#303030", "markeredgewidth": 0.6}
    return Line2D([], [], linestyle="none", marker="o", label="one seed", **ring)  # type: ignore[arg-type]


def _legend(figure: Figure, order: Sequence[str], labels: dict[str, Label], with_base: bool, seeded: bool) -> None:
    from matplotlib.lines import Line2D

    handles = []
    for number, code in enumerate(order):
        look = LINE_LOOKS[number % len(LINE_LOOKS)]
        handles.append(
            Line2D(
                [],
                [],
                color=look.fill,
                marker=look.marker,
                linestyle=look.dash,
                markersize=3.2,
                markeredgecolor="#202020",
                markeredgewidth=0.4,
                label=labels[code].text,
            )
        )
    if with_base:
        handles.append(Line2D([], [], color="#606060", linewidth=0.7, linestyle=(0, (1, 2)), label="base"))
    if seeded:
        handles.append(seed_handle())
    legend = figure.legend(handles=handles, loc="outside upper center", ncols=min(len(handles), 8), handlelength=2.4)
    for text, code in zip(legend.get_texts(), order, strict=False):
        text.set_fontfamily(list(labels[code].families))
