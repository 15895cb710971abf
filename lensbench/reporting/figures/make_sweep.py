"""The figures of a sweep: lines or heat maps, and the Pareto front, each with its caption."""

from __future__ import annotations

from collections.abc import Sequence

from lensbench.errors import UsageError
from lensbench.numbers.sweep_settings import MethodSweep, Setting, shown_value
from lensbench.numbers.sweep_shape import GridShape, LineShape, held_text, shape_of
from lensbench.numbers.sweep_table import SettingNumber
from lensbench.printable import printable
from lensbench.reporting.figures.chosen_sweep import ShownMeasure, choose_measures, choose_sweep, number_sentences, one_run
from lensbench.reporting.figures.drawn import Drawn
from lensbench.reporting.figures.fonts import labels_for, missing_fonts
from lensbench.reporting.figures.panels import Choice
from lensbench.reporting.figures.pareto import ParetoPanel, draw_pareto
from lensbench.reporting.figures.style import styled
from lensbench.reporting.figures.sweep_grids import GridPanel, draw_grids, reach_of_grids
from lensbench.reporting.figures.sweep_lines import ENGLISH, TARGETS, SweepLine, SweepPanel, draw_sweep_lines
from lensbench.reporting.run_view import RunView

__all__ = ["pareto", "sweep"]


def sweep(
    runs: Sequence[RunView],
    choice: Choice | None = None,
    *,
    by: Sequence[str] = (),
    over: str | None = None,
    native: bool = False,
    width: float | None = None,
) -> Drawn:
    """Differences to `base` on the endpoints and in English by the settings of one method.

    One switch gives lines, two give heat maps, a third gives one panel for each of its values.

    Args:
        by: The switch along x, and optionally the one along y; () takes what varies.
        over: A switch with one panel for each of its values.

    Raises:
        UsageError: several runs, a run without a sweep, or a switch that does not vary (with the nearest).
    """
    run, choice = one_run(runs, "sweep"), choice or Choice()
    chosen = choose_sweep(run, choice, [*by, *([over] if over else [])])
    shown = choose_measures(run, choice)
    lines, grids = shape_of(chosen, by, over)
    if lines:
        return _lines(run, chosen, shown, lines, choice, over, native, width)
    return _grids(run, chosen, shown, grids, choice, native, width)


def _lines(
    run: RunView,
    chosen: MethodSweep,
    shown: Sequence[ShownMeasure],
    shapes: Sequence[LineShape],
    choice: Choice,
    over: str | None,
    native: bool,
    width: float | None,
) -> Drawn:
    rows = []
    for one in shown:
        lines = [SweepLine(name, numbers) for name, numbers in _numbers(one, choice)]
        # With one switch, the title is the measure; otherwise also what tells the panel from the others.
        rows.append([SweepPanel(_title(one, _panel_name(chosen, shape, over)), one, shape, lines) for shape in shapes if lines])
    rows = [row for row in rows if row]
    codes = [code for code in choice.languages if code != "en"]
    labels = labels_for(codes, native=native)
    with styled():
        figure = draw_sweep_lines(rows, labels, width)
    settings = list({setting.name: setting for shape in shapes for _, setting in shape.points}.values())
    numbers = [line.numbers[s.name] for row in rows for line in row[0].lines for s in settings if s.name in line.numbers]
    panel = None if over is None else chosen.switch(over).name
    said = [
        _subject(run, chosen, settings),
        *_held(shapes, panel),
        *number_sentences(numbers, settings, "Ribbons and lines through points are"),
    ]
    if any(number.delta is None for number in numbers):
        said.append("×: the setting has no number.")
    return Drawn(figure, _caption(said, missing_fonts(labels)))


def _grids(
    run: RunView,
    chosen: MethodSweep,
    shown: Sequence[ShownMeasure],
    shapes: Sequence[GridShape],
    choice: Choice,
    native: bool,
    width: float | None,
) -> Drawn:
    rows, numbers = [], []
    settings = list({setting.name: setting for shape in shapes for setting in shape.cells.values()}.values())
    for one in shown:
        tables = _numbers(one, choice)
        reach = reach_of_grids([{s.name: own[s.name] for s in settings if s.name in own} for _, own in tables])
        lower = one.measure.metric.higher_is_better is False
        for name, own in tables:
            titles = [_title(one, name) + ("" if shape.panel is None else f"\n{_value(shape, shape.panel)}") for shape in shapes]
            rows.append(
                [GridPanel(t, one.measure.metric.unit, shape, own, reach, lower) for t, shape in zip(titles, shapes, strict=True)]
            )
            numbers += [own[setting.name] for setting in settings if setting.name in own]
    if shapes[0].panel is None:
        # The maps of a measure stand side by side.
        count = max(len(_numbers(one, choice)) for one in shown)
        flat = [row[0] for row in rows]
        rows = [flat[start : start + count] for start in range(0, len(flat), count)]
    with styled():
        figure = draw_grids(rows, width)
    units = dict.fromkeys(
        f"{one.measure.short} in {unit.difference.strip()}" for one in shown if (unit := one.measure.metric.unit).difference
    )
    said = [_subject(run, chosen, settings), *_held(shapes), *([f"Numbers: {', '.join(units)}."] if units else [])]
    said.append(
        "Blue is better and orange worse than base; the maps of one measure share a scale that ends at the largest difference."
    )
    said += number_sentences(numbers, settings, "Bold in a frame: the interval excludes 0. Intervals are")
    missing = sum(shape.missing for shape in shapes)
    if missing:
        said.append(f"Hatched: {missing} combination{'' if missing == 1 else 's'} that the run did not try.")
    return Drawn(figure, _caption(said, ""))


def pareto(runs: Sequence[RunView], choice: Choice | None = None, *, native: bool = False, width: float | None = None) -> Drawn:
    """Gain over the targets against the change in English of every setting of a run, with the Pareto front.

    Raises:
        UsageError: several runs, a run without two settings, or one that asks nothing in English.
    """
    run, choice = one_run(runs, "pareto"), choice or Choice()
    if choice.languages:
        raise UsageError("the front is of all target languages together", "Leave ``language`` out.")
    settings = run.sweep_table.settings
    if len(settings) < 2:
        raise UsageError(
            f"{run.name} has fewer than two settings to compare", "A sweep: lensbench run ``sweep=METHOD.KEY=VALUE,VALUE``."
        )
    panels, numbers = [], []
    without: dict[str, None] = {}
    for one in choose_measures(run, choice):
        own = one.table
        both = [s for s in settings if _known(own.targets, s) and _known(own.english, s)]
        if both and own.front is not None:
            names = {setting.name: _short(run, setting) for setting in both}
            panels.append(ParetoPanel(_title(one, ""), one, both, names))
            numbers += [own.targets[s.name] for s in both] + [own.english[s.name] for s in both]
            without.update({s.name: None for s in settings if s not in both})
    if not panels:
        raise UsageError(
            f"{run.name} has no endpoint with a number over the targets and in English",
            "Run it with English, which ``english=False`` leaves out.",
        )
    with styled():
        figure, left_out = draw_pareto(panels, width)
    switches = ", ".join(dict.fromkeys(f"{s.name}" for one in run.sweep_table.sweeps for s in one.switches))
    said = [
        f"Difference to base over the target languages against the difference in English, of {len(settings)} settings on "
        f"{run.results.backbone}.",
        "Filled: no other setting, and not base (the star), is at least as good in both and better in one. The line is this "
        "front; it is of the means.",
        *number_sentences(numbers, settings, "Lines through points are"),
        "Intervals and seeds are drawn for the front only." if any(panel.crowded for panel in panels) else "",
        f"Labels give the values of {switches}." if switches else "",
        f"Without a label for want of room: {left_out} of the front." if left_out else "",
        f"Without both numbers, and not shown: {len(without)} of {len(settings)} settings." if without else "",
    ]
    return Drawn(figure, _caption(said, ""))


def _numbers(one: ShownMeasure, choice: Choice) -> list[tuple[str, dict[str, SettingNumber]]]:
    """What is shown of a measure: the targets and English, or the chosen languages."""
    table = one.table
    found = [(TARGETS, dict(table.targets)), (ENGLISH, dict(table.english))]
    if choice.languages:
        found = [(code, dict(table.languages.get(code, {}))) for code in choice.languages if code != "en"]
        found += [(ENGLISH, dict(table.english))] if "en" in choice.languages else []
    return [(name, numbers) for name, numbers in found if numbers]


def _known(numbers: dict[str, SettingNumber] | object, setting: Setting) -> bool:
    number = numbers.get(setting.name) if isinstance(numbers, dict) else None
    return number is not None and number.delta is not None


def _short(run: RunView, setting: Setting) -> str:
    """The values of a setting, or its name where nothing of its method varies."""
    own = next(one for one in run.sweep_table.sweeps if setting in one.settings)
    values = ", ".join(shown_value(value) for value in setting.values.values())
    several = sum(one.varies for one in run.sweep_table.sweeps) > 1
    return setting.name if not values else f"{own.method} {values}" if several else values


def _title(one: ShownMeasure, *parts: str) -> str:
    text = ", ".join(filter(None, [one.measure.short, *parts]))
    return text[:1].upper() + text[1:]


def _panel_name(chosen: MethodSweep, shape: LineShape, over: str | None) -> str:
    return "" if over is None else _value(shape, chosen.switch(over).name)


def _value(shape: LineShape | GridShape, switch: str) -> str:
    return f"{switch} = {shown_value(shape.held[switch])}"


def _held(shapes: Sequence[LineShape] | Sequence[GridShape], over: str | None = None) -> list[str]:
    """What the switches that are not shown are held at."""
    said: dict[str, None] = {}
    for shape in shapes:
        panel = shape.panel if isinstance(shape, GridShape) else over
        rest = {name: value for name, value in shape.held.items() if name != panel}
        if rest:
            head = f"{shape.switch.name}: " if isinstance(shape, LineShape) else ""
            said[f"{head}{held_text(rest)}"] = None
    return [f"Held: {'; '.join(said)}."] if said else []


def _subject(run: RunView, chosen: MethodSweep, settings: Sequence[Setting]) -> str:
    count, total = len(settings), len(chosen.settings)
    of = f"{count} settings" if count == total else f"{count} of {total} settings"
    return f"Difference to base of {of} of {chosen.method} on {run.results.backbone}, on the endpoints of the run and in English."


def _caption(said: Sequence[str], fonts: str) -> str:
    return printable(" ".join(filter(None, [*said, fonts])))
