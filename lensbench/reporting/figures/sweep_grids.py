"""A sweep over two switches as heat maps: the targets and English, with the difference in each cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lensbench.metrics import Unit
from lensbench.numbers.sweep_settings import shown_value
from lensbench.numbers.sweep_shape import GridShape
from lensbench.numbers.sweep_table import SettingNumber
from lensbench.reporting.figures.diverging import diverging
from lensbench.reporting.figures.fonts import printable
from lensbench.reporting.figures.style import PAGE, luminance, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["GridPanel", "draw_grids", "reach_of_grids"]

_CELL, _HIGH, _NAMES, _ABOVE, _TITLE = 0.4, 0.25, 0.62, 0.62, 2.1
"""Inches: width and height of a cell, room for the names beside and for those below and above, width of a long title."""


@dataclass(frozen=True)
class GridPanel:
    """One heat map.

    Attributes:
        numbers: By name of the setting.
        reach: Difference at the ends of the scale, which all maps of a measure share.
        lower_is_better: Whether a negative difference has the colour of a gain.
    """

    title: str
    unit: Unit
    shape: GridShape
    numbers: Mapping[str, SettingNumber]
    reach: float
    lower_is_better: bool = False


def reach_of_grids(tables: Sequence[Mapping[str, SettingNumber]]) -> float:
    """The largest distance of a mean from 0."""
    return max((abs(n.delta) for table in tables for n in table.values() if n.delta is not None), default=0.0)


def draw_grids(rows: Sequence[Sequence[GridPanel]], width: float | None = None) -> Figure:
    """The figure, to be called within `styled()`: a row for each measure; its maps are the targets and English."""
    panels = [panel for row in rows for panel in row]
    wide = max(_TITLE, _NAMES + _CELL * max(len(panel.shape.x.values) for panel in panels))
    high = (
        _ABOVE + 0.12 * any("\n" in panel.title for panel in panels) + _HIGH * max(len(panel.shape.y.values) for panel in panels)
    )
    across = max(1, min(max(len(row) for row in rows), int((width or PAGE) / wide)))
    lines = [row[start : start + across] for row in rows for start in range(0, len(row), across)]
    size = width or min(PAGE, max(2.4, across * wide + 0.2))
    figure = new_figure(size, 0.15 + high * len(lines))
    grid = figure.subplots(len(lines), across, squeeze=False)
    for line, drawn in zip(lines, grid, strict=True):
        for place, axes in enumerate(drawn):
            if place >= len(line):
                axes.remove()
                continue
            _draw(axes, line[place], room=size / across)
            if place:
                axes.set_ylabel("")
    return figure


def _draw(axes: Axes, panel: GridPanel, room: float) -> None:
    from matplotlib.patches import Rectangle

    shape = panel.shape
    columns, rows = len(shape.x.values), len(shape.y.values)
    size = 6.5 if (room - _NAMES) / columns > 0.3 else 5.0
    for x in range(columns):
        for y in range(rows):
            setting = shape.cells.get((x, y))
            number = None if setting is None else panel.numbers.get(setting.name)
            if number is None or number.delta is None:
                hatch = "" if setting is not None else "//////"
                axes.add_patch(
                    Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor="#ffffff", edgecolor="#c8c8c8", hatch=hatch, linewidth=0.4)
                )
                if setting is not None:
                    failed = not setting.variants and bool(setting.failed)
                    axes.text(x, y, "× failed" if failed else "no score", ha="center", va="center", fontsize=4.5, color="#303030")
                continue
            good = -number.delta if panel.lower_is_better else number.delta
            fill = diverging(good / panel.reach if panel.reach else 0.0)
            axes.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor=fill, edgecolor="#ffffff", linewidth=0.5))
            axes.text(
                x,
                y,
                panel.unit.text(number.delta, sign=True),
                ha="center",
                va="center",
                fontsize=size,
                fontweight="bold" if number.excludes_zero else "normal",
                color="#ffffff" if luminance(fill) < 0.18 else "#101010",
            )
    # Frames last, so that no neighbour covers a side.
    for (x, y), setting in shape.cells.items():
        number = panel.numbers.get(setting.name)
        if number is not None and number.excludes_zero:
            axes.add_patch(
                Rectangle((x - 0.46, y - 0.46), 0.92, 0.92, fill=False, edgecolor="#000000", linewidth=0.8, label="_excludes")
            )
    axes.set_xlim(-0.5, columns - 0.5)
    axes.set_ylim(rows - 0.5, -0.5)
    axes.set_xticks(range(columns), [printable(shown_value(value)) for value in shape.x.values])
    axes.set_yticks(range(rows), [printable(shown_value(value)) for value in shape.y.values])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_title("\n".join(map(printable, panel.title.split("\n"))), loc="left")
    axes.set_xlabel(printable(shape.x.name))
    axes.set_ylabel(printable(shape.y.name))
