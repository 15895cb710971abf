"""The choice of a setting: the endpoint on development and on test items for every candidate, and what English lost."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lensbench.errors import UsageError
from lensbench.metrics.unit import Unit
from lensbench.numbers.picking.picked import Candidate, EnglishNumbers, Picked, SideNumbers
from lensbench.reporting.answer.picked import difference_text, loss_text, pick_unit, short_metric, side_counts
from lensbench.reporting.figures.fonts import printable
from lensbench.reporting.figures.style import COLUMN, LOOKS, PAGE, new_figure
from lensbench.reporting.run_view import RunView
from lensbench.spec import BASE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["PickPanel", "draw_picks", "pick_caption", "pick_panels"]

_DEVELOPMENT, _TEST, _HARM = LOOKS[2], LOOKS[1], LOOKS[5]
_HEIGHT, _EACH, _LEAST = 1.5, 0.42, 2.6
_APART = 0.12
"""Distance between the two sides of one candidate, where candidates stand side by side; a share of the distance of two."""


@dataclass(frozen=True)
class PickPanel:
    """The candidates of one method.

    Attributes:
        field: The setting along x, where the candidates differ in one number; "" where they stand side by side by name.
        positions: Place of each candidate along x.
    """

    picked: Picked
    method: str
    candidates: Sequence[Candidate]
    field: str
    positions: Sequence[float]
    names: Sequence[str]

    @property
    def unit(self) -> Unit:
        return pick_unit(self.picked)


def pick_panels(run: RunView) -> list[PickPanel]:
    """A panel for each method that had several settings.

    Raises:
        UsageError: the run chose nothing, or has no number of the endpoint.
    """
    picked = run.results.picked
    if picked is None:
        raise UsageError(f"{run.name} chose no setting", "A run does with ``pick``, and `lensbench results RUN` takes it too.")
    panels = []
    for method in dict.fromkeys(one.method for one in picked.candidates):
        own = [one for one in picked.candidates_of(method) if one.development.delta is not None or one.test.delta is not None]
        if own:
            panels.append(_panel(picked, method, own))
    if not panels:
        raise UsageError(f"{run.name}: no setting has a number of the endpoint '{picked.endpoint}'", "The run must be finished.")
    return panels


def _panel(picked: Picked, method: str, candidates: Sequence[Candidate]) -> PickPanel:
    fields = list(dict.fromkeys(key for one in candidates for key in one.differs))
    values: list[Any] = [one.differs.get(fields[0]) for one in candidates] if len(fields) == 1 else []
    if values and all(type(value) in (int, float) and math.isfinite(value) for value in values) and len({*values}) == len(values):
        ordered = sorted(candidates, key=lambda one: one.differs[fields[0]])
        positions = [float(one.differs[fields[0]]) for one in ordered]
        return PickPanel(picked, method, ordered, fields[0], positions, [f"{value:g}" for value in positions])
    names = [_short(one, method) for one in candidates]
    return PickPanel(picked, method, candidates, "", [float(place) for place in range(len(candidates))], names)


def _short(one: Candidate, method: str) -> str:
    """What tells a candidate from the others of its method."""
    if not one.differs:
        return one.setting
    return "\n".join(f"{key}={value}" for key, value in one.differs.items()) if len(one.differs) < 4 else one.setting


def draw_picks(panels: Sequence[PickPanel], width: float | None = None) -> Figure:
    """The figure, to be called within `styled()`: a column for each method, the targets above English."""
    english = any(one.picked.english_cells for one in panels)
    wide = width or min(PAGE, max(COLUMN, sum(max(_LEAST, _EACH * len(one.candidates)) for one in panels)))
    rows = 2 if english else 1
    figure = new_figure(wide, 0.5 + _HEIGHT * rows)
    grid = figure.subplots(rows, len(panels), squeeze=False, sharex="col")
    for column, panel in enumerate(panels):
        top = grid[0][column]
        _sides(top, panel, [one.development for one in panel.candidates], [one.test for one in panel.candidates])
        top.set_title(printable(panel.method), loc="left")
        last = top
        if english:
            last = grid[1][column]
            _sides(
                last, panel, [one.english_development for one in panel.candidates], [one.english_test for one in panel.candidates]
            )
            _harm(last, panel)
        _ticks(last, panel)
        if column == 0:
            unit = panel.unit.difference.strip()
            top.set_ylabel(f"targets, {unit or 'difference'}")
            if english:
                last.set_ylabel(f"English, {unit or 'difference'}")
    _legend(figure, english and any(one.picked.margin is not None for one in panels))
    return figure


def _sides(
    axes: Axes,
    panel: PickPanel,
    development: Sequence[SideNumbers | EnglishNumbers],
    test: Sequence[SideNumbers | EnglishNumbers],
) -> None:
    scale = panel.unit.scale
    step = min((b - a for a, b in zip(panel.positions, panel.positions[1:], strict=False)), default=1.0)
    for look, sides, shift in ((_DEVELOPMENT, development, -1), (_TEST, test, 1)):
        points = [
            (x + shift * _APART * step / 2, one) for x, one in zip(panel.positions, sides, strict=True) if one.delta is not None
        ]
        known = [one for one, side in zip(panel.candidates, sides, strict=True) if side.delta is not None]
        places = [x for x, _ in points]
        axes.plot(
            places,
            [scale * one.delta for _, one in points if one.delta is not None],
            color=look.fill,
            linestyle=look.dash if panel.field else "none",
            marker=look.marker,
            markersize=3.4,
            markeredgecolor="#202020",
            markeredgewidth=0.4,
            zorder=3,
        )
        hollow = [
            (x, scale * one.delta)
            for (x, one), candidate in zip(points, known, strict=True)
            if candidate.admission != "admissible" and one.delta is not None
        ]
        axes.plot(
            [x for x, _ in hollow],
            [y for _, y in hollow],
            linestyle="none",
            marker=look.marker,
            markersize=3.4,
            markerfacecolor="#ffffff",
            markeredgecolor=look.fill,
            markeredgewidth=0.8,
            zorder=4,
        )
        for x, one in points:
            if one.delta_low is not None and one.delta_high is not None:
                axes.vlines(x, scale * one.delta_low, scale * one.delta_high, color=look.fill, linewidth=0.9, zorder=2)
    for x, candidate in zip(panel.positions, panel.candidates, strict=True):
        if candidate.chosen:
            axes.axvspan(x - 0.4 * step, x + 0.4 * step, color="#e8e8e8", zorder=0, linewidth=0)
    axes.axhline(0, color="#606060", linewidth=0.7, linestyle=(0, (1, 2)), zorder=1)
    axes.grid(axis="y")


def _harm(axes: Axes, panel: PickPanel) -> None:
    """The loss in English from which on a setting is not chosen."""
    if panel.picked.margin is not None:
        loss = -panel.picked.margin if panel.picked.higher_is_better is not False else panel.picked.margin
        axes.axhline(panel.unit.scale * loss, color=_HARM.fill, linewidth=1.0, linestyle="-", zorder=1)


def _ticks(axes: Axes, panel: PickPanel) -> None:
    crowded = not panel.field and (len(panel.names) > 3 or max(map(len, panel.names)) > 12)
    axes.set_xticks(list(panel.positions), [printable(name) for name in panel.names])
    axes.tick_params(axis="x", labelrotation=90 if crowded else 0)
    if panel.field:
        axes.set_xlabel("first changed block" if panel.field == "start_layer" else printable(panel.field))


def _legend(figure: Figure, harm: bool) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Any] = [
        Line2D([], [], color=look.fill, marker=look.marker, markersize=3.4, linestyle=look.dash, label=name)
        for look, name in ((_DEVELOPMENT, "development items"), (_TEST, "test items"))
    ]
    handles.append(Patch(color="#e8e8e8", label="chosen"))
    if harm:
        handles.append(Line2D([], [], color=_HARM.fill, linewidth=1.0, label="margin in English"))
    figure.legend(handles=handles, loc="outside upper center", ncols=4 if figure.get_figwidth() > 5 else 2, handlelength=2.4)


def pick_caption(run: RunView, panels: Sequence[PickPanel]) -> str:
    """What the figure shows, who chose, and what came of it."""
    picked, unit = panels[0].picked, panels[0].unit
    counts = side_counts(picked)
    said = [
        f"Choice of a setting on {run.results.backbone}: {short_metric(picked)} over the targets, difference to {BASE}, on the "
        f"{sum(one.development for one in counts)} items that chose and on the {sum(one.test for one in counts)} that report.",
        "Bars are 95% intervals, of the items and, with several seeds, of the seeds too.",
    ]
    if picked.margin is not None and picked.english_cells:
        said.append(
            "English below: a setting whose development items lie on or beyond the line (a loss of "
            f"{loss_text(unit, picked.margin)}) could not be chosen. Marks of settings that could not be chosen are hollow."
        )
    for one in picked.methods:
        if one.state == "chosen":
            optimism = difference_text(unit, one.optimism, one.optimism_low, one.optimism_high)
            said.append(f"Chosen: {one.setting}, optimism {optimism}.")
        elif one.tried > 1:
            said.append(f"No setting of {one.method} was chosen.")
    return " ".join(said)
