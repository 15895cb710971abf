"""Gain over the targets against the change in English, a point for each setting, with the Pareto front."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from lensbench.numbers.sweep_settings import Setting
from lensbench.reporting.figures.chosen_sweep import ShownMeasure
from lensbench.reporting.figures.fonts import printable
from lensbench.reporting.figures.labels import place_labels
from lensbench.reporting.figures.lines import LINE_LOOKS, draw_seeds, seed_handle
from lensbench.reporting.figures.style import COLUMN, PAGE, new_figure
from lensbench.reporting.names import named
from lensbench.spec import BASE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["ParetoPanel", "draw_pareto"]

_PANEL = 2.9
_FRONT = "#202020"
_MOST_WHOLE = 40
"""Of more settings only the front has intervals and seeds: they would hide the means."""


@dataclass(frozen=True)
class ParetoPanel:
    """One pair of axes.

    Attributes:
        settings: Those that have both numbers.
        names: Setting -> short text for its label.
    """

    title: str
    shown: ShownMeasure
    settings: Sequence[Setting]
    names: dict[str, str]

    @property
    def crowded(self) -> bool:
        """Whether intervals of all settings would hide the points."""
        return len(self.settings) > _MOST_WHOLE


def draw_pareto(panels: Sequence[ParetoPanel], width: float | None = None) -> tuple[Figure, int]:
    """The figure, to be called within `styled()`, and how many members of a front found no room for their label."""
    across = max(1, min(len(panels), int((width or PAGE) / _PANEL)))
    rows = -(-len(panels) // across)
    size = width or min(PAGE, COLUMN if across == 1 else _PANEL * across + 0.2)
    figure = new_figure(size, 0.35 + 0.86 * size / across * rows)
    grid = figure.subplots(rows, across, squeeze=False).flatten()
    methods = list(dict.fromkeys(setting.method for panel in panels for setting in panel.settings))
    for number, panel in enumerate(panels):
        _draw(grid[number], panel, methods)
    for spare in grid[len(panels) :]:
        spare.remove()
    _legend(figure, panels, methods)
    figure.draw_without_rendering()
    left_out = sum(_label(grid[number], panel) for number, panel in enumerate(panels))
    return figure, left_out


def _points(panel: ParetoPanel) -> dict[str, tuple[float, float]]:
    """Setting -> change in English and gain, in the unit of the axes; base at the origin."""
    factor, table = panel.shown.measure.metric.unit.scale, panel.shown.table
    points = {BASE: (0.0, 0.0)}
    for setting in panel.settings:
        gain, change = table.targets[setting.name].delta, table.english[setting.name].delta
        assert gain is not None and change is not None
        points[setting.name] = factor * change, factor * gain
    return points


def _draw(axes: Axes, panel: ParetoPanel, methods: Sequence[str]) -> None:
    table, metric = panel.shown.table, panel.shown.measure.metric
    factor, points = metric.unit.scale, _points(panel)
    front = table.front
    axes.axhline(0, color="#b0b0b0", linewidth=0.6, zorder=1)
    axes.axvline(0, color="#b0b0b0", linewidth=0.6, zorder=1)
    for setting in panel.settings:
        look = LINE_LOOKS[methods.index(setting.method) % len(LINE_LOOKS)]
        x, y = points[setting.name]
        on_front = front is not None and setting.name in front.members
        gain, change = table.targets[setting.name], table.english[setting.name]
        faint: dict[str, Any] = {"color": look.fill, "linewidth": 0.6, "alpha": 0.75 if on_front else 0.3, "zorder": 2}
        whole = on_front or not panel.crowded
        if whole and gain.low is not None and gain.high is not None:
            axes.vlines([x], factor * gain.low, factor * gain.high, **faint)
        if whole and change.low is not None and change.high is not None:
            axes.hlines([y], factor * change.low, factor * change.high, **faint)
        known = _seeds(panel, setting) if on_front else []
        draw_seeds(axes, [one for one, _ in known], [other for _, other in known], look.fill)
        axes.plot(
            [x],
            [y],
            marker=look.marker,
            markersize=4.2 if on_front else 3.2,
            color=look.fill if on_front else "#ffffff",
            markeredgecolor=look.fill if not on_front else "#202020",
            markeredgewidth=0.6,
            linestyle="none",
            label=setting.name,
            zorder=5 if on_front else 3,
        )
    axes.plot([0], [0], marker="*", markersize=6, color="#202020", linestyle="none", label=BASE, zorder=6)
    lower = metric.higher_is_better is False
    if lower:
        axes.invert_xaxis()
        axes.invert_yaxis()
    if front is not None:
        axes.autoscale_view()
        _step(axes, [points[name] for name in front.members])
    if table.margin is not None and metric.higher_is_better is not None:
        at = factor * (table.margin if lower else -table.margin)
        axes.axvline(at, color=LINE_LOOKS[1].fill, linewidth=0.8, linestyle=(0, (1, 2)), zorder=1, label="_margin")
    axes.set_title(printable(panel.title), loc="left")
    axes.set_xlabel(f"English: {panel.shown.quantity}")
    axes.set_ylabel(f"target languages: {panel.shown.quantity}")
    axes.grid(True)


def _seeds(panel: ParetoPanel, setting: Setting) -> list[tuple[float, float]]:
    """The single seeds of a setting with several, as points."""
    table, factor = panel.shown.table, panel.shown.measure.metric.unit.scale
    gain, change = table.targets[setting.name].seeds, table.english[setting.name].seeds
    both = [(change.get(name), delta) for name, delta in gain.items()]
    known = [(factor * one, factor * other) for one, other in both if one is not None and other is not None]
    return known if len(known) > 1 else []


def _step(axes: Axes, members: Sequence[tuple[float, float]]) -> None:
    """The edge of what a member of the front dominates. Members go from the lowest gain, with the best English, upwards."""
    (left, _), (bottom, _) = axes.get_xlim(), axes.get_ylim()
    path = [(members[0][0], bottom), members[0]]
    for before, after in pairwise(members):
        path += [(after[0], before[1]), after]
    path.append((left, members[-1][1]))
    bounds = axes.get_xlim(), axes.get_ylim()
    axes.plot([x for x, _ in path], [y for _, y in path], color=_FRONT, linewidth=0.9, label="_front", zorder=2)
    axes.set_xlim(*bounds[0])
    axes.set_ylim(*bounds[1])


def _label(axes: Axes, panel: ParetoPanel) -> int:
    points, front = _points(panel), panel.shown.table.front
    members = [] if front is None else list(reversed(front.members))
    texts: dict[tuple[float, float], list[str]] = {}
    for name in dict.fromkeys([*members, BASE]):
        texts.setdefault(points[name], []).append(BASE if name == BASE else panel.names[name])
    others = [point for point in points.values() if point not in texts]
    others += [point for setting in panel.settings if setting.name in members for point in _seeds(panel, setting)]
    return place_labels(axes, [(point, named(own, 2)) for point, own in texts.items()], others)


def _legend(figure: Figure, panels: Sequence[ParetoPanel], methods: Sequence[str]) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D(
            [],
            [],
            linestyle="none",
            marker=LINE_LOOKS[number % len(LINE_LOOKS)].marker,
            color=LINE_LOOKS[number % len(LINE_LOOKS)].fill,
            markeredgecolor="#202020",
            markeredgewidth=0.5,
            markersize=4,
            label=printable(method),
        )
        for number, method in enumerate(methods)
    ]
    handles.append(Line2D([], [], color=_FRONT, linewidth=0.9, label="Pareto front"))
    if any(len(setting.variants) > 1 for panel in panels for setting in panel.settings):
        handles.append(seed_handle())
    if any(panel.shown.table.margin is not None for panel in panels):
        handles.append(Line2D([], [], color=LINE_LOOKS[1].fill, linewidth=0.8, linestyle=(0, (1, 2)), label="margin in English"))
    figure.legend(handles=handles, loc="outside upper center", ncols=min(len(handles), 4), handlelength=2.0)
