"""The section on the settings of a run: a table sorted by endpoint, heat maps or lines, and the Pareto front."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from lensbench.errors import UsageError
from lensbench.metrics import Unit
from lensbench.numbers.sweep_settings import MethodSweep, Setting, shown_value
from lensbench.numbers.sweep_shape import GridShape, held_text, shape_of
from lensbench.numbers.sweep_table import MeasureTable, SettingNumber
from lensbench.reporting.answer import Measure, measures_of
from lensbench.reporting.html.setting_charts import line_chart, pareto_chart, seed_strip
from lensbench.reporting.run_view import RunView
from lensbench.reporting.text.settings_table import KEPT, difference, interval, of_measure, seeds_text, setting_text
from lensbench.spec import BASE

__all__ = ["HeatCell", "HeatMap", "SettingCell", "SettingRow", "SettingsView", "SweepView", "settings_view"]

_STEPS = 5
_MOST_MAPS = 24


@dataclass(frozen=True)
class SettingCell:
    """One number of a setting.

    Attributes:
        sort: What a click on the head of the column sorts by; "" where there is no number.
        drawing: Seeds, mean and interval on the scale of the column.
    """

    text: str
    below: str = ""
    tone: str = ""
    sort: str = ""
    drawing: str = ""


@dataclass(frozen=True)
class SettingRow:
    values: list[str]
    seeds: str
    failed: str
    cells: list[SettingCell]


@dataclass(frozen=True)
class HeatCell:
    """One combination of two values: a class from `l5` (largest loss) over `z` to `g5`, and whether its interval excludes 0."""

    text: str
    step: str
    marked: bool
    about: str


@dataclass(frozen=True)
class HeatMap:
    title: str
    x: str
    y: str
    columns: list[str]
    rows: list[tuple[str, list[HeatCell]]]


@dataclass(frozen=True)
class SweepView:
    """One method.

    Attributes:
        by, order: Measure by which the rows are sorted, and whether its numbers go up ("ascending") or down.
        heads: Title of each column of numbers, and what it is over.
        note: What the intervals cover, and what has no number.
        held: What is held in maps or lines; "" for nothing.
        refused: Why neither maps nor lines are drawn; "" where they are.
    """

    method: str
    switches: list[str]
    heads: list[tuple[str, str]]
    rows: list[SettingRow]
    by: str
    order: str
    note: str
    maps: list[HeatMap]
    lines: list[tuple[str, Markup]]
    held: str
    refused: str


@dataclass(frozen=True)
class SettingsView:
    """The section of one run.

    Attributes:
        fronts: Title of a measure, drawing, and the settings on the front in words.
    """

    sweeps: list[SweepView]
    fronts: list[tuple[str, Markup, list[str]]]


def settings_view(run: RunView) -> SettingsView | None:
    """The section; None where no method of the run has several settings or seeds, or nothing was compared with `base`."""
    table = run.sweep_table
    shown = [(measure, own) for measure in measures_of(run.results) if (own := of_measure(measure, table)) is not None]
    shown = [(measure, own) for measure, own in shown if own.targets or own.english]
    if not shown or not (table.varies or table.seeded):
        return None
    chosen = [sweep for sweep in table.sweeps if sweep.varies or any(len(setting.variants) > 1 for setting in sweep.settings)]
    fronts = []
    for measure, own in shown:
        drawing = pareto_chart(measure, own, table.settings) if len(table.settings) > 1 else None
        if drawing is not None and own.front is not None:
            names = {setting.name: f"{setting.method}: {setting_text(setting)}" for setting in table.settings}
            members = [_member(names.get(name, name), name, measure, own) for name in reversed(own.front.members)]
            fronts.append((_capital(measure.short), drawing, members))
    return SettingsView([_sweep(sweep, shown) for sweep in chosen], fronts)


def _member(text: str, name: str, measure: Measure, own: MeasureTable) -> str:
    if name == BASE:
        return f"{BASE} itself"
    gain, change = own.targets[name].delta, own.english[name].delta
    if gain is None or change is None:
        return text
    return f"{text} ({measure.difference(gain)} over the targets, {measure.difference(change)} in English)"


def _sweep(sweep: MethodSweep, shown: Sequence[tuple[Measure, MeasureTable]]) -> SweepView:
    first = next(((measure, own) for measure, own in shown if own.targets), None)
    settings = list(sweep.settings) if first is None else first[1].best_first(sweep.settings)
    heads = []
    for measure, own in shown:
        heads += [(_capital(measure.short), measure.of_targets)] if own.targets else []
        heads += [(f"English: {measure.short}", measure.of_english)] if own.english else []
    maps, lines, held, refused = _drawings(sweep, shown)
    return SweepView(
        sweep.method,
        [switch.name for switch in sweep.switches],
        heads,
        _rows(sweep, settings, shown),
        "" if first is None else first[0].short,
        "ascending" if first is not None and first[0].metric.higher_is_better is False else "descending",
        _note(sweep, shown),
        maps,
        lines,
        held,
        refused,
    )


def _rows(sweep: MethodSweep, settings: Sequence[Setting], shown: Sequence[tuple[Measure, MeasureTable]]) -> list[SettingRow]:
    spans = {id(own): _span(own, settings) for _, table in shown for own in (table.targets, table.english)}
    rows = []
    for setting in settings:
        cells = []
        for measure, own in shown:
            if own.targets:
                cells.append(_target(own.targets[setting.name], measure.metric.unit, spans[id(own.targets)]))
            if own.english:
                cells.append(_english(own.english[setting.name], measure.metric.unit, spans[id(own.english)]))
        values = [shown_value(setting.values[switch.name]) if setting.values else "not recorded" for switch in sweep.switches]
        failed = "; ".join(f"{name}: {why}" for name, why in setting.failed.items())
        rows.append(SettingRow(values or [setting.name], seeds_text(setting), failed, cells))
    return rows


def _span(numbers: Mapping[str, SettingNumber], settings: Sequence[Setting]) -> float:
    own = [numbers[setting.name] for setting in settings if setting.name in numbers]
    ends = [end for number in own for end in (number.delta, number.low, number.high, *number.seeds.values())]
    return max((abs(end) for end in ends if end is not None), default=0.0)


def _target(number: SettingNumber, unit: Unit, span: float) -> SettingCell:
    verdicts = list(number.verdicts.values())
    better, worse = verdicts.count("better"), verdicts.count("worse")
    words = [f"{word} {count}/{len(verdicts)}" for word, count in (("▲", better), ("▼", worse)) if count]
    tone = "better" if verdicts and better == len(verdicts) else "worse" if verdicts and worse == len(verdicts) else ""
    below = " · ".join(filter(None, [interval(number, unit), " ".join(words)]))
    return SettingCell(difference(number, unit), below, tone, _sort(number), seed_strip(number, span, tone or "plain"))


def _english(number: SettingNumber, unit: Unit, span: float) -> SettingCell:
    word = KEPT.get(number.retention or "", "")
    worst = "" if number.at_worst is None else f"at worst {unit.text(number.at_worst, sign=True)}"
    tone = {"worse": "worse", "kept": "kept"}.get(word, "")
    below = " · ".join(filter(None, [worst or ("" if number.delta is None else "no interval"), word]))
    return SettingCell(difference(number, unit), below, tone, _sort(number), seed_strip(number, span, tone or "plain"))


def _sort(number: SettingNumber) -> str:
    return "" if number.delta is None else f"{number.delta:.9g}"


def _note(sweep: MethodSweep, shown: Sequence[tuple[Measure, MeasureTable]]) -> str:
    names = {setting.name for setting in sweep.settings}
    numbers = [n for _, own in shown for table in (own.targets, own.english) for name, n in table.items() if name in names]
    covers = {number.covers for number in numbers if number.covers}
    said = f"Brackets are 95% intervals over {' or, with one seed, over '.join(sorted(covers, reverse=True))}." if covers else ""
    if "seeds and items" not in covers and covers:
        said += " Training seeds: not measured (one a setting)."
    elif covers:
        said += " A ring is one seed. ▲ and ▼ count the seeds with that verdict: tests are of single variants."
    failed = sum(len(setting.failed) for setting in sweep.settings)
    if failed:
        said += f" {failed} variant{'' if failed == 1 else 's'} could not be fitted, marked × at its setting."
    count = len(sweep.settings)
    return said + (f" The best of {count} settings on the same items looks better than it is." if count > 1 else "")


def _drawings(
    sweep: MethodSweep, shown: Sequence[tuple[Measure, MeasureTable]]
) -> tuple[list[HeatMap], list[tuple[str, Markup]], str, str]:
    """Maps or lines of a sweep, what is held in them, and why there are none."""
    if not sweep.varies:
        return [], [], "", ""
    try:
        lines, grids = shape_of(sweep)
    except UsageError as error:
        return ([], [], "", f"{error.message}. lensbench figure sweep draws what is chosen.")
    names = [(measure, own) for measure, own in shown if own.targets]
    charts = [
        (f"{_capital(measure.short)} by {shape.switch.name}", line_chart(measure, own, shape))
        for measure, own in names
        for shape in lines
    ]
    maps = []
    for measure, own in names:
        tables = [("target languages", own.targets), *([("English", own.english)] if own.english else [])]
        reach = max((abs(n.delta) for _, table in tables for n in table.values() if n.delta is not None), default=0.0)
        maps += [_map(measure, place, table, shape, reach) for shape in grids for place, table in tables]
    held = [held_text(shape.held) for shape in lines]
    held += [held_text({name: value for name, value in shape.held.items() if name != shape.panel}) for shape in grids]
    refused = ""
    if len(maps) > _MOST_MAPS:
        refused = f"{len(maps)} heat maps are too many for this page: lensbench figure sweep RUN draws them."
        maps = []
    return maps, charts, "; ".join(filter(None, dict.fromkeys(held))), refused


def _map(measure: Measure, place: str, numbers: Mapping[str, SettingNumber], shape: GridShape, reach: float) -> HeatMap:
    panel = "" if shape.panel is None else f", {shape.panel} = {shown_value(shape.held[shape.panel])}"
    rows = []
    for y, name in enumerate(shape.y.values):
        cells = []
        for x in range(len(shape.x.values)):
            setting = shape.cells.get((x, y))
            cells.append(_heat_cell(measure, None if setting is None else numbers.get(setting.name), setting, reach))
        rows.append((shown_value(name), cells))
    title = f"{_capital(measure.short)}, {place}{panel}"
    return HeatMap(title, shape.x.name, shape.y.name, [shown_value(value) for value in shape.x.values], rows)


def _heat_cell(measure: Measure, number: SettingNumber | None, setting: Setting | None, reach: float) -> HeatCell:
    if setting is None:
        return HeatCell("", "none", False, "not run")
    if number is None or number.delta is None:
        why = "no score" if number is None else number.why
        return HeatCell("×", "none", False, why)
    unit = measure.metric.unit
    good = -number.delta if measure.metric.higher_is_better is False else number.delta
    step = round(_STEPS * abs(good) / reach) if reach else 0
    kind = "z" if not step else f"g{step}" if good > 0 else f"l{step}"
    about = f"{interval(number, unit)} over {number.covers}" if number.covers else number.why
    return HeatCell(unit.text(number.delta, sign=True), kind, number.excludes_zero, about)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
