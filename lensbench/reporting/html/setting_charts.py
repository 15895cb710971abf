"""Drawings of settings as SVG, coloured by classes of the report's style sheet: seeds in a row, lines, Pareto front."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

from markupsafe import Markup, escape

from lensbench.numbers.sweep_settings import Setting, shown_value
from lensbench.numbers.sweep_shape import LineShape
from lensbench.numbers.sweep_table import MeasureTable, SettingNumber
from lensbench.reporting.answer import Measure
from lensbench.reporting.html.charts import step_of
from lensbench.reporting.html.forest import strip
from lensbench.reporting.html.text import plain
from lensbench.reporting.text.settings_table import setting_text

__all__ = ["line_chart", "pareto_chart", "seed_strip"]

_STRIP = (84, 16, 5)
"""Width, height and edge of the drawing in a row."""
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 480, 250, 52, 14, 12, 40
_NAMES_APART = 34
"""Pixels between two names along x."""
_MOST_SEEDS = 40
"""Of more settings only the front has intervals and seeds in the drawing of the front."""


def seed_strip(number: SettingNumber, span: float, tone: str) -> Markup:
    """Mean, interval and seeds of a setting; the numbers stand beside it as text, so it has no name of its own."""
    seeds = [delta for delta in number.seeds.values() if delta is not None] if len(number.seeds) > 1 else []
    return strip(number.delta, number.low, number.high, span, tone, _STRIP, seeds)


def line_chart(measure: Measure, own: MeasureTable, shape: LineShape) -> Markup:
    """Differences over the targets and in English along one switch, with intervals and seeds."""
    tables = [("targets", "c1", own.targets), *([("English", "c5", own.english)] if own.english else [])]
    settings = [setting for _, setting in shape.points]
    margin = own.margin
    reach = _reach([table[s.name] for _, _, table in tables for s in settings if s.name in table], margin)
    floor = _HEIGHT - _BOTTOM
    middle = (_TOP + floor) / 2

    def y(value: float) -> float:
        return round(middle - (middle - _TOP) * value / reach, 1)

    places = _places(shape)
    parts = [_begin(f"{measure.short} by {shape.switch.name}")]
    parts += _levels(measure, reach, y)
    before = -math.inf
    for place, (value, _) in zip(places, shape.points, strict=True):
        if place - before >= _NAMES_APART:
            parts.append(
                f'<text class="tick" x="{place}" y="{floor + 16}" text-anchor="middle">{_text(shown_value(value))}</text>'
            )
            before = place
    parts.append(
        f'<text class="tick" x="{(_LEFT + _WIDTH) / 2}" y="{_HEIGHT - 6}" text-anchor="middle">{_text(shape.switch.name)}</text>'
    )
    if margin is not None and own.english and measure.metric.higher_is_better is not None:
        at = y(-margin if measure.metric.higher_is_better else margin)
        parts.append(f'<path class="margin" d="M{_LEFT} {at}H{_WIDTH - _RIGHT}"/>')
    for name, colour, table in tables:
        known = [(x, table[s.name], s) for x, s in zip(places, settings, strict=True) if s.name in table]
        drawn = [(x, number, setting) for x, number, setting in known if number.delta is not None]
        shift = -4 if name == "targets" else 4
        points = [(x + shift, y(number.delta or 0.0)) for x, number, _ in drawn]
        if shape.switch.numeric and len({x for x, _ in points}) == len(points) > 1:
            parts.append(f'<path class="line {colour}" d="M{" L".join(f"{x} {at}" for x, at in points)}"/>')
        for (x, at), (_, number, setting) in zip(points, drawn, strict=True):
            tip = f"{name}, {setting_text(setting)}: {_told(measure, number)}"
            parts.append(f"<g><title>{_text(tip)}</title>")
            if number.low is not None and number.high is not None:
                parts.append(f'<path class="whisker" d="M{x} {y(number.low)}V{y(number.high)}"/>')
            parts.append(f'<circle class="column {colour}" cx="{x}" cy="{at}" r="4.2"/>')
            parts += [f'<circle class="seed" cx="{x}" cy="{y(delta)}" r="2.4"/>' for delta in _seeds(number)]
            parts.append("</g>")
        parts += [
            f'<text class="tick" x="{x}" y="{floor - 4}" text-anchor="middle"><title>{_text(number.why)}</title>×</text>'
            for x, number, _ in known
            if number.delta is None
        ]
    return Markup("".join([*parts, "</svg>"]))


def _places(shape: LineShape) -> list[float]:
    """Where the points stand along x: numbers by their size, anything else one after the other."""
    values = [value for value, _ in shape.points]
    room = _WIDTH - _LEFT - _RIGHT - 24
    if shape.switch.numeric:
        low, high = min(values), max(values)
        return [round(_LEFT + 12 + room * (value - low) / (high - low), 1) for value in values]
    keys = list(dict.fromkeys(map(shown_value, values)))
    return [round(_LEFT + 12 + room * keys.index(shown_value(value)) / max(1, len(keys) - 1), 1) for value in values]


def pareto_chart(measure: Measure, own: MeasureTable, settings: Sequence[Setting]) -> Markup | None:
    """Gain over the targets against the change in English; None where no setting has both."""
    known = [s for s in settings if _delta(own.targets.get(s.name)) is not None and _delta(own.english.get(s.name)) is not None]
    if not known or own.front is None:
        return None
    lower = measure.metric.higher_is_better is False
    sign = -1.0 if lower else 1.0
    gains, changes = [own.targets[s.name] for s in known], [own.english[s.name] for s in known]
    up, across = _bounds(gains, sign, None), _bounds(changes, sign, own.margin)
    floor, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT

    def x(value: float) -> float:
        return round(_LEFT + (right - _LEFT) * (sign * value - across[0]) / (across[1] - across[0]), 1)

    def y(value: float) -> float:
        return round(floor - (floor - _TOP) * (sign * value - up[0]) / (up[1] - up[0]), 1)

    parts = [_begin(f"{measure.short}, gain over the targets against the change in English")]
    unit = measure.metric.unit
    for tick in _ticks(*up):
        text = f"{unit.scale * sign * tick:+.{_digits(unit.scale * (up[1] - up[0]))}f}" if tick else "0"
        parts.append(f'<path class="grid" d="M{_LEFT} {y(sign * tick)}H{right}"/>')
        parts.append(f'<text class="tick" x="{_LEFT - 6}" y="{y(sign * tick) + 4}" text-anchor="end">{text}</text>')
    for tick in _ticks(*across):
        text = f"{unit.scale * sign * tick:+.{_digits(unit.scale * (across[1] - across[0]))}f}" if tick else "0"
        parts.append(f'<path class="grid" d="M{x(sign * tick)} {_TOP}V{floor}"/>')
        parts.append(f'<text class="tick" x="{x(sign * tick)}" y="{floor + 16}" text-anchor="middle">{text}</text>')
    parts.append(f'<path class="axis" d="M{_LEFT} {y(0)}H{right}M{x(0)} {_TOP}V{floor}"/>')
    if own.margin is not None:
        parts.append(f'<path class="margin" d="M{x(-sign * own.margin)} {_TOP}V{floor}"/>')
    label = "change in English" + (", less is better" if lower else "")
    parts.append(f'<text class="tick" x="{(_LEFT + right) / 2}" y="{_HEIGHT - 6}" text-anchor="middle">{label}</text>')
    parts.append(f'<text class="tick" x="{_LEFT + 4}" y="{_TOP + 8}">gain over the targets</text>')
    points = {s.name: (x(_delta(own.english[s.name]) or 0.0), y(_delta(own.targets[s.name]) or 0.0)) for s in known}
    points["base"] = (x(0), y(0))
    members = [points[name] for name in own.front.members if name in points]
    path = [(members[0][0], floor), members[0]]
    for before, after in pairwise(members):
        path += [(after[0], before[1]), after]
    path.append((_LEFT, members[-1][1]))
    parts.append(f'<path class="front" d="M{" L".join(f"{a} {b}" for a, b in path)}"/>')
    for setting in known:
        place, gain, change = points[setting.name], own.targets[setting.name], own.english[setting.name]
        on_front = setting.name in own.front.members
        tip = f"{setting.method}, {setting_text(setting)}: {_told(measure, gain)}, in English {_told(measure, change)}"
        parts.append(f'<g class="{"on" if on_front else "off"}"><title>{_text(tip)}</title>')
        whole = on_front or len(known) <= _MOST_SEEDS
        if whole and gain.low is not None and gain.high is not None:
            parts.append(f'<path class="whisker" d="M{place[0]} {y(gain.low)}V{y(gain.high)}"/>')
        if whole and change.low is not None and change.high is not None:
            parts.append(f'<path class="whisker" d="M{x(change.low)} {place[1]}H{x(change.high)}"/>')
        parts.append(f'<circle class="column {"c1" if on_front else "hollow"}" cx="{place[0]}" cy="{place[1]}" r="4.2"/>')
        if on_front and len(known) <= _MOST_SEEDS and len(gain.seeds) > 1:
            both = [(change.seeds.get(name), delta) for name, delta in gain.seeds.items()]
            parts += [
                f'<circle class="seed" cx="{x(a)}" cy="{y(b)}" r="2.4"/>' for a, b in both if a is not None and b is not None
            ]
        parts.append("</g>")
    parts.append(f'<g><title>base</title><path class="base" d="M{x(0) - 5} {y(0)}l5 -5l5 5l-5 5z"/></g></svg>')
    return Markup("".join(parts))


def _delta(number: SettingNumber | None) -> float | None:
    return None if number is None else number.delta


def _bounds(numbers: Sequence[SettingNumber], sign: float, margin: float | None) -> tuple[float, float]:
    """Ends of an axis on which more is better, with 0 and some room."""
    ends = [sign * end for n in numbers for end in (n.delta, n.low, n.high) if end is not None]
    ends += [0.0, *([-margin] if margin is not None else [])]
    low, high = min(ends), max(ends)
    room = 0.06 * (high - low) or 1.0
    return low - room, high + room


def _ticks(low: float, high: float) -> Iterator[float]:
    step = step_of((high - low) / 2)
    for number in range(math.ceil(low / step), math.floor(high / step) + 1):
        yield step * number


def _digits(span: float) -> int:
    return 0 if span >= 5 else 1 if span >= 0.5 else 2


def _reach(numbers: Sequence[SettingNumber], margin: float | None) -> float:
    ends = [abs(end) for n in numbers for end in (n.delta, n.low, n.high, *n.seeds.values()) if end is not None]
    return 1.05 * max([*ends, margin or 0.0], default=0.0) or 1.0


def _levels(measure: Measure, reach: float, y: object) -> list[str]:
    assert callable(y)
    step, unit = step_of(reach), measure.metric.unit
    count = math.floor(reach / step)
    parts = []
    for tick in (step * number for number in range(-count, count + 1)):
        at, kind = y(tick), "grid" if tick else "axis"
        text = f"{unit.scale * tick:+.{_digits(unit.scale * 2 * reach)}f}" if tick else "0"
        parts.append(f'<path class="{kind}" d="M{_LEFT} {at}H{_WIDTH - _RIGHT}"/>')
        parts.append(f'<text class="tick" x="{_LEFT - 6}" y="{at + 4}" text-anchor="end">{text}</text>')
    return parts


def _seeds(number: SettingNumber) -> list[float]:
    known = [delta for delta in number.seeds.values() if delta is not None]
    return known if len(number.seeds) > 1 else []


def _told(measure: Measure, number: SettingNumber) -> str:
    assert number.delta is not None
    text = measure.difference(number.delta)
    if number.low is None or number.high is None:
        return text
    return f"{text} [{measure.difference(number.low)}, {measure.difference(number.high)}]"


def _text(text: str) -> str:
    return str(escape(plain(text)))


def _begin(title: str) -> str:
    return (
        f'<svg class="chart settings-chart" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}" role="img" '
        f'aria-label="{_text(title)}; the numbers stand in the table of the settings">'
    )
