"""Charts of a block as SVG, coloured by classes of the report's style sheet: differences with intervals, and levels."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from lensbench.metrics import Basis, Unit
from lensbench.reporting.blocks import Block
from lensbench.reporting.columns import Column
from lensbench.reporting.html.text import plain

__all__ = ["bar_chart", "difference_chart", "reach_of", "scale_key", "step_of"]

_HEIGHT, _TOP, _BOTTOM, _LEFT, _RIGHT = 220, 12, 28, 50, 8
_WIDTH, _WIDEST, _NARROWEST, _GAP, _APART = 560, 26, 7, 2, 14
"""Width of a chart where its bars have room, bounds of a bar's width, space between bars and between languages."""
_STEPS = (1.0, 2.0, 5.0)
_TICKS = 3
"""Lines of a grid of differences on each side of 0, at most."""


@dataclass(frozen=True)
class _Frame:
    """Where the languages of a chart stand, and their series within."""

    group: float
    bar: float
    width: int
    series: int

    @classmethod
    def of(cls, languages: int, series: int) -> _Frame:
        room = (_WIDTH - _LEFT - _RIGHT) / max(languages, 1)
        bar = round(min(_WIDEST, max(_NARROWEST, (room - _APART) / max(series, 1) - _GAP)), 1)
        group = max(room, series * (bar + _GAP) + _APART)
        return cls(group, bar, round(_LEFT + group * languages + _RIGHT), series)

    def middle(self, place: int) -> float:
        return round(_LEFT + self.group * (place + 0.5), 1)

    def left(self, place: int, number: int) -> float:
        start = _LEFT + self.group * (place + 0.5) - self.series * (self.bar + _GAP) / 2
        return round(start + number * (self.bar + _GAP), 1)


def bar_chart(block: Block, columns: Sequence[Column]) -> Markup:
    """A block's values per language: one bar a variant with its 95% interval, and a line at the level of chance.

    Shares start at 0 and end at 100%, ratings end at 10, so that charts of a report can be compared by eye.
    """
    frame = _Frame.of(len(block.languages), len(block.columns))
    top, floor = _top(block), _HEIGHT - _BOTTOM

    def y(value: float) -> float:
        return round(floor - (floor - _TOP) * min(max(value / top, 0.0), 1.0), 1)

    parts = [_begin(frame, plain(f"{block.title}: {block.name}, by language"))]
    parts += _grid(frame, [(y(top * step / 4), block.metric.unit.tick_text(top * step / 4)) for step in range(5)])
    for place, language in enumerate(block.languages):
        parts.append(_name(frame, place, language))
        for number, column in enumerate(block.columns):
            shown = block.cells.get((column, language))
            if shown is None or shown.line is None or (value := shown.number.value) is None:
                continue
            x, line = frame.left(place, number), shown.line
            tip = plain(f"{columns[column].label}, {language}: {line.value} {line.interval}")
            parts.append(
                f"<g><title>{escape(tip)}</title>"
                f'<rect class="column c{columns[column].colour}" x="{x}" y="{y(value)}" '
                f'width="{frame.bar}" height="{round(floor - y(value), 1)}"/>'
            )
            low, high = shown.number.low, shown.number.high
            if low is not None and high is not None:
                parts.append(_whisker(round(x + frame.bar / 2, 1), y(low), y(high)))
            parts.append("</g>")
        chance = block.chance(language)
        if chance is not None:
            start, end = frame.left(place, 0), frame.left(place, frame.series)
            tip = f"chance, {language}: {block.metric.unit.text(chance)}"
            parts.append(f'<g><title>{escape(plain(tip))}</title><path class="chance" d="M{start} {y(chance)}H{end}"/></g>')
    parts.append(f'<line class="axis" x1="{_LEFT}" x2="{frame.width - _RIGHT}" y1="{floor}" y2="{floor}"/></svg>')
    return Markup("".join(parts))


def scale_key(block: Block) -> tuple[Unit, Basis]:
    """Charts that agree in it share a scale: accuracies, say, or ratings."""
    return block.metric.unit, block.metric.basis


def reach_of(blocks: Iterable[Block]) -> dict[tuple[Unit, Basis], float]:
    """Scale -> the largest distance from 0 of a difference or an end of its interval, so that charts share a scale."""
    reach: dict[tuple[Unit, Basis], float] = {}
    for block in blocks:
        for cell in block.cells.values():
            one = cell.number
            ends = [abs(v) for v in (one.delta, one.delta_low, one.delta_high) if v is not None and math.isfinite(v)]
            reach[scale_key(block)] = max([reach.get(scale_key(block), 0.0), *ends])
    return reach


def difference_chart(block: Block, columns: Sequence[Column], reach: float) -> Markup | None:
    """A block's differences to the base per language: a dot and a 95% interval for each variant; None where there is none.

    Args:
        reach: Difference at the edges; the same for all charts of a scale.
    """
    compared = {column for (column, _), cell in block.cells.items() if cell.number.delta is not None}
    shown = [column for column in block.columns if column in compared]
    if not shown or not reach:
        return None
    unit = block.metric.unit
    frame = _Frame.of(len(block.languages), len(shown))
    floor, middle = _HEIGHT - _BOTTOM, (_TOP + _HEIGHT - _BOTTOM) / 2

    def y(value: float) -> float:
        return round(middle - (middle - _TOP) * value / reach, 1)

    step = step_of(reach)
    ticks = [step * number for number in range(-_TICKS - 1, _TICKS + 2) if abs(step * number) <= reach]
    digits = 0 if unit.scale * step >= 1 else unit.digits
    parts = [_begin(frame, plain(f"{block.title}: {block.name}, difference to base by language"))]
    parts += _grid(frame, [(y(tick), f"{unit.scale * tick:+.{digits}f}" if tick else "0") for tick in ticks])
    parts.append(f'<line class="axis" x1="{_LEFT}" x2="{frame.width - _RIGHT}" y1="{y(0)}" y2="{y(0)}"/>')
    for place, language in enumerate(block.languages):
        parts.append(_name(frame, place, language))
        if place:
            edge = round(_LEFT + frame.group * place, 1)
            parts.append(f'<line class="grid" x1="{edge}" x2="{edge}" y1="{_TOP}" y2="{floor}"/>')
        for number, column in enumerate(shown):
            cell = block.cells.get((column, language))
            if cell is None or cell.line is None or cell.number.delta is None:
                continue
            one, line = cell.number, cell.line
            centre = round(frame.left(place, number) + frame.bar / 2, 1)
            tip = plain(f"{columns[column].label}, {language}: {line.delta} {line.delta_interval}")
            parts.append(f"<g><title>{escape(tip)}</title>")
            if one.delta_low is not None and one.delta_high is not None:
                parts.append(_whisker(centre, y(one.delta_low), y(one.delta_high)))
            parts.append(
                f'<circle class="column c{columns[column].colour}" cx="{centre}" cy="{y(cell.number.delta)}" r="4"/></g>'
            )
    parts.append("</svg>")
    return Markup("".join(parts))


def step_of(reach: float) -> float:
    """A round step of which at most `_TICKS` fit."""
    power = 10.0 ** math.floor(math.log10(reach / _TICKS))
    return next((power * s for s in _STEPS if power * s * _TICKS >= reach), power * 10)


def _begin(frame: _Frame, title: str) -> str:
    return (
        f'<svg class="chart" viewBox="0 0 {frame.width} {_HEIGHT}" width="{frame.width}" height="{_HEIGHT}" role="img" '
        f'aria-label="{escape(title)}; the numbers stand in the table of the same name">'
    )


def _grid(frame: _Frame, ticks: Sequence[tuple[float, str]]) -> list[str]:
    parts = []
    for height, label in ticks:
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{frame.width - _RIGHT}" y1="{height}" y2="{height}"/>')
        parts.append(f'<text class="tick" x="{_LEFT - 6}" y="{height + 4}" text-anchor="end">{label}</text>')
    return parts


def _name(frame: _Frame, place: int, language: str) -> str:
    return f'<text class="tick" x="{frame.middle(place)}" y="{_HEIGHT - 9}" text-anchor="middle">{escape(language)}</text>'


def _whisker(centre: float, low: float, high: float) -> str:
    return f'<path class="whisker" d="M{centre} {low}V{high}M{centre - 3} {low}h6M{centre - 3} {high}h6"/>'


def _top(block: Block) -> float:
    """The end of the axis: the highest value that the unit allows, or else the highest there is."""
    if math.isfinite(block.metric.unit.highest):
        return block.metric.unit.highest
    ends = [end for cell in block.cells.values() for end in (cell.number.value, cell.number.high) if end is not None]
    return max((end for end in ends if end > 0), default=1.0)
