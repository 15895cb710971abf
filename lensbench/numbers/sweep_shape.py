"""How a sweep can be drawn: as lines over one switch at a time, or as grids over two switches, with further ones held."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lensbench.errors import UsageError
from lensbench.numbers.sweep_settings import MethodSweep, Setting, Switch, shown_value, value_key

__all__ = ["GridShape", "LineShape", "held_text", "shape_of"]

_MOST_PANELS = 12


@dataclass(frozen=True)
class LineShape:
    """Settings that differ in one switch.

    Attributes:
        points: (value, setting) in the order of the values; a value may have several settings only where `held` is not complete.
        held: Value of every other switch that varies in the sweep.
    """

    switch: Switch
    points: tuple[tuple[Any, Setting], ...]
    held: Mapping[str, Any]


@dataclass(frozen=True)
class GridShape:
    """Settings that differ in two switches.

    Attributes:
        cells: (place along x, place along y) -> setting; a combination that the run did not try is not in it.
        held: Value of every other switch that varies; `panel` is one of them.
        panel: Switch whose value tells this grid from the others; None where there is one grid.
    """

    x: Switch
    y: Switch
    cells: Mapping[tuple[int, int], Setting]
    held: Mapping[str, Any]
    panel: str | None = None

    @property
    def missing(self) -> int:
        """Combinations that the run did not try."""
        return len(self.x.values) * len(self.y.values) - len(self.cells)


def shape_of(sweep: MethodSweep, by: Sequence[str] = (), over: str | None = None) -> tuple[list[LineShape], list[GridShape]]:
    """What to draw: lines or grids; one of the two lists is empty.

    Without `by`, one switch gives a line, and two a grid. Switches that were changed one at a time from a common setting give one
    line each. Three give a grid for each value of the third. With `by`, switches that are named neither there nor in `over` are
    held at the value that most settings have.

    Args:
        by: The switch along x, and optionally the one along y.
        over: A switch with one grid, or one line, for each of its values.

    Raises:
        UsageError: nothing varies, an unknown switch, one that is named twice, or more switches than a figure can show.
    """
    if not sweep.varies:
        raise UsageError(
            f"{sweep.method} has one setting, so there is no sweep", "A sweep: lensbench run ``sweep=METHOD.KEY=VALUE,VALUE``."
        )
    named = [sweep.switch(name) for name in by]
    panel = None if over is None else sweep.switch(over)
    chosen = [switch.name for switch in (*named, *([panel] if panel else []))]
    twice = next((name for name in chosen if chosen.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"the switch '{twice}' is named twice", "Name another, or leave it out.")
    if len(named) > 2:
        raise UsageError(f"``by`` takes one switch or two, here are {len(named)}", "A third: ``over=SWITCH``, one panel a value.")
    if not named:
        if panel is None and _one_at_a_time(sweep):
            return [line for switch in sweep.switches if (line := _line(sweep, switch, {})) is not None], []
        named, panel = _default(sweep, panel)
    if len(named) == 1:
        return _lines(sweep, named[0], panel), []
    return [], _grids(sweep, named[0], named[1], panel)


def _one_at_a_time(sweep: MethodSweep) -> bool:
    """Whether the settings are one common one and others that differ from it in one switch."""
    usual = _usual(sweep.settings, sweep.switches)
    differing = [sum(value_key(s.values[k]) != value_key(v) for k, v in usual.items()) for s in sweep.settings if s.values]
    return len(sweep.switches) == 1 or max(differing) <= 1


def _default(sweep: MethodSweep, panel: Switch | None) -> tuple[list[Switch], Switch | None]:
    rest = [switch for switch in sweep.switches if switch != panel]
    if len(rest) + (panel is not None) > 3:
        names = [f"{sweep.method}.{switch.name}" for switch in sweep.switches]
        raise UsageError(
            f"{len(names)} switches vary ({', '.join(names)}), and a figure shows three",
            f"Choose: ``by={names[0]}``, ``by={names[1]}`` and ``over={names[2]}``; the others are held at their usual value.",
        )
    if len(rest) == 3:
        # The switch with the fewest values makes the fewest panels.
        panel = min(rest, key=lambda switch: len(switch.values))
        rest.remove(panel)
    if len(rest) == 2:
        rest.sort(key=lambda switch: -len(switch.values))
    return rest, panel


def _lines(sweep: MethodSweep, switch: Switch, panel: Switch | None) -> list[LineShape]:
    values = _panel_values(sweep, panel)
    lines = [line for held in values if (line := _line(sweep, switch, held)) is not None]
    if not lines:
        raise UsageError(
            f"no two settings differ in '{switch.name}' alone", f"Settings differ in {', '.join(s.name for s in sweep.switches)}."
        )
    return lines


def _line(sweep: MethodSweep, switch: Switch, held: Mapping[str, Any]) -> LineShape | None:
    """The settings along one switch; None where there are fewer than two values."""
    others = {**_usual(sweep.settings, [s for s in sweep.switches if s != switch and s.name not in held], held), **held}
    alike = [setting for setting in sweep.settings if setting.values and _agrees(setting, others)]
    places = [value_key(value) for value in switch.values]
    points = sorted(
        ((setting.values[switch.name], setting) for setting in alike), key=lambda one: places.index(value_key(one[0]))
    )
    if len({value_key(value) for value, _ in points}) < 2:
        return None
    return LineShape(switch, tuple(points), others)


def _grids(sweep: MethodSweep, x: Switch, y: Switch, panel: Switch | None) -> list[GridShape]:
    grids = []
    for held in _panel_values(sweep, panel):
        others = {**_usual(sweep.settings, [s for s in sweep.switches if s not in (x, y) and s.name not in held], held), **held}
        cells: dict[tuple[int, int], Setting] = {}
        for setting in sweep.settings:
            if setting.values and _agrees(setting, others):
                cells.setdefault((_place(x, setting), _place(y, setting)), setting)
        if cells:
            grids.append(GridShape(x, y, cells, others, None if panel is None else panel.name))
    return grids


def _panel_values(sweep: MethodSweep, panel: Switch | None) -> list[dict[str, Any]]:
    if panel is None:
        return [{}]
    if len(panel.values) > _MOST_PANELS:
        raise UsageError(
            f"'{panel.name}' has {len(panel.values)} values, and a figure has at most {_MOST_PANELS} panels",
            f"Put it along x: ``by={sweep.method}.{panel.name}``.",
        )
    return [{panel.name: value} for value in panel.values]


def _place(switch: Switch, setting: Setting) -> int:
    return [value_key(value) for value in switch.values].index(value_key(setting.values[switch.name]))


def _agrees(setting: Setting, values: Mapping[str, Any]) -> bool:
    return all(value_key(setting.values[name]) == value_key(value) for name, value in values.items())


def _usual(settings: Iterable[Setting], switches: Sequence[Switch], within: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Switch -> the value that most settings have; the first of equals."""
    own = [setting for setting in settings if setting.values and _agrees(setting, within or {})]
    found = {}
    for switch in switches:
        counts = Counter(value_key(setting.values[switch.name]) for setting in own)
        if counts:
            most = max(counts.values())
            found[switch.name] = next(
                setting.values[switch.name] for setting in own if counts[value_key(setting.values[switch.name])] == most
            )
    return found


def held_text(held: Mapping[str, Any]) -> str:
    """`rank = 1, epochs = 2`."""
    return ", ".join(f"{name} = {shown_value(value)}" for name, value in held.items())
