"""A sweep as lines: the difference to `base` over the targets and in English against one switch, seeds as rings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lensbench.numbers.sweep_shape import LineShape
from lensbench.numbers.sweep_table import SettingNumber
from lensbench.reporting.figures.chosen_sweep import ShownMeasure
from lensbench.reporting.figures.fonts import Label, printable
from lensbench.reporting.figures.lines import LINE_LOOKS, draw_seeds, positions_of, seed_handle, set_ticks
from lensbench.reporting.figures.style import COLUMN, PAGE, Look, new_figure
from lensbench.reporting.figures.sweeps import Sweep

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["TARGETS", "SweepLine", "SweepPanel", "draw_sweep_lines"]

TARGETS, ENGLISH = "target languages", "English"
_PANEL, _HEIGHT = 2.3, 1.7
_ENGLISH_LOOK = LINE_LOOKS[1]
_OTHERS = [look for number, look in enumerate(LINE_LOOKS) if number != 1]


@dataclass(frozen=True)
class SweepLine:
    """One line: `TARGETS`, `ENGLISH` or the code of a language, with a number by setting."""

    name: str
    numbers: dict[str, SettingNumber]


@dataclass(frozen=True)
class SweepPanel:
    """One pair of axes."""

    title: str
    shown: ShownMeasure
    shape: LineShape
    lines: list[SweepLine]


def draw_sweep_lines(rows: Sequence[Sequence[SweepPanel]], labels: dict[str, Label], width: float | None = None) -> Figure:
    """The figure, to be called within `styled()`: a row for each measure, a column for each switch or value of a third."""
    panels = [panel for row in rows for panel in row]
    across = max(len(row) for row in rows)
    shared = across > 1
    if not shared:
        # One switch: the measures themselves stand side by side.
        across = max(1, min(len(panels), int((width or PAGE) / _PANEL)))
        rows = [panels[start : start + across] for start in range(0, len(panels), across)]
    else:
        most = max(1, int((width or PAGE) / 1.7))
        across = min(across, most)
        rows = [row[start : start + across] for row in rows for start in range(0, len(row), across)]
    figure = new_figure(width or min(PAGE, COLUMN if across == 1 else _PANEL * across + 0.2), 0.4 + _HEIGHT * len(rows))
    grid = figure.subplots(len(rows), across, squeeze=False, sharey="row" if shared else False)
    names = list(dict.fromkeys(line.name for panel in panels for line in panel.lines))
    for row, drawn in zip(rows, grid, strict=True):
        for place, axes in enumerate(drawn):
            if place >= len(row):
                axes.remove()
                continue
            _draw(axes, row[place], names)
            if shared and place:
                axes.set_ylabel("")
    _legend(figure, panels, names, labels)
    return figure


def _look(name: str, names: Sequence[str]) -> Look:
    if name == ENGLISH:
        return _ENGLISH_LOOK
    others = [other for other in names if other != ENGLISH]
    return _OTHERS[others.index(name) % len(_OTHERS)]


def _draw(axes: Axes, panel: SweepPanel, names: Sequence[str]) -> None:
    factor = panel.shown.measure.metric.unit.scale
    switch = panel.shape.switch
    along = Sweep(switch.name, tuple((value, 0, setting.name) for value, setting in panel.shape.points), {})
    positions = positions_of(along)
    axes.axhline(0, color="#606060", linewidth=0.7, zorder=1)
    for line in panel.lines:
        look = _look(line.name, names)
        drawn = [
            (x, line.numbers.get(setting.name), setting) for x, (_, setting) in zip(positions, panel.shape.points, strict=True)
        ]
        known = [(x, number) for x, number, _ in drawn if number is not None and number.delta is not None]
        joined = along.numeric and len({x for x, _ in known}) == len(known)
        axes.plot(
            [x for x, _ in known],
            [factor * (number.delta or 0.0) for _, number in known],
            linestyle=look.dash if joined else "none",
            marker=look.marker,
            color=look.fill,
            markersize=3.4,
            markeredgecolor="#202020",
            markeredgewidth=0.4,
            label=line.name,
            zorder=3,
        )
        ranged = [(x, n.low, n.high) for x, n in known if n.low is not None and n.high is not None]
        places, low, high = [x for x, *_ in ranged], [factor * e for _, e, _ in ranged], [factor * e for *_, e in ranged]
        if joined:
            axes.fill_between(places, low, high, color=look.fill, alpha=0.18, linewidth=0)
        else:
            axes.vlines(places, low, high, color=look.fill, linewidth=0.8)
        for x, number in known:
            seeds = [factor * delta for delta in number.seeds.values() if delta is not None]
            if len(seeds) > 1:
                draw_seeds(axes, [x] * len(seeds), seeds, look.fill)
    _margin(axes, panel)
    # A setting without a number keeps its place, and says so.
    first = panel.lines[0].numbers
    for x, (_, setting) in zip(positions, panel.shape.points, strict=True):
        own = first.get(setting.name)
        if own is None or own.delta is None:
            axes.plot([x], [0.03], marker="x", color="#303030", markersize=4, transform=axes.get_xaxis_transform(), clip_on=False)
    axes.set_title(printable(panel.title), loc="left")
    axes.set_ylabel(panel.shown.quantity)
    axes.set_xlabel("first changed block" if switch.name == "start_layer" else printable(switch.name))
    set_ticks(axes, along, positions)
    axes.grid(axis="y")


def _margin(axes: Axes, panel: SweepPanel) -> None:
    """The loss in English that counts as none."""
    margin, metric = panel.shown.table.margin, panel.shown.measure.metric
    if margin is None or metric.higher_is_better is None or not any(line.name == ENGLISH for line in panel.lines):
        return
    at = metric.unit.scale * (-margin if metric.higher_is_better else margin)
    axes.axhline(at, color=_ENGLISH_LOOK.fill, linewidth=0.8, linestyle=(0, (1, 2)), zorder=1, label="_margin")


def _legend(figure: Figure, panels: Sequence[SweepPanel], names: Sequence[str], labels: dict[str, Label]) -> None:
    from matplotlib.lines import Line2D

    handles = []
    for name in names:
        look = _look(name, names)
        style = {"markersize": 3.4, "markeredgecolor": "#202020", "markeredgewidth": 0.4}
        label = labels[name].text if name in labels else name
        handles.append(Line2D([], [], color=look.fill, marker=look.marker, linestyle=look.dash, label=label, **style))  # type: ignore[arg-type]
    if ENGLISH in names and any(panel.shown.table.margin is not None for panel in panels):
        handles.append(Line2D([], [], color=_ENGLISH_LOOK.fill, linewidth=0.8, linestyle=(0, (1, 2)), label="margin in English"))
    if any(len(number.seeds) > 1 for panel in panels for line in panel.lines for number in line.numbers.values()):
        handles.append(seed_handle())
    legend = figure.legend(handles=handles, loc="outside upper center", ncols=min(len(handles), 4), handlelength=2.4)
    for text, name in zip(legend.get_texts(), names, strict=False):
        if name in labels:
            text.set_fontfamily(list(labels[name].families))
