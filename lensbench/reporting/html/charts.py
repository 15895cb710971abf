"""Bars with intervals as SVG, coloured and hatched by classes of the report's style sheet."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup, escape

from lensbench.reporting.blocks import Block
from lensbench.reporting.columns import Column
from lensbench.reporting.html.text import plain

__all__ = ["bar_chart"]

_HEIGHT, _TOP, _BOTTOM, _LEFT, _RIGHT = 220, 12, 28, 44, 8
_WIDTH, _WIDEST, _NARROWEST, _GAP, _APART = 560, 26, 7, 2, 14
"""Width of a chart where its bars have room, bounds of a bar's width, space between bars and between languages."""


def bar_chart(block: Block, columns: Sequence[Column]) -> Markup:
    """A block's values per language: one bar a variant, with its 95% interval; languages side by side.

    Shares start at 0 and end at 100%, ratings end at 10, so that charts of a report can be compared by eye.
    """
    room = (_WIDTH - _LEFT - _RIGHT) / len(block.languages)
    bar = round(min(_WIDEST, max(_NARROWEST, (room - _APART) / len(block.columns) - _GAP)), 1)
    bars = len(block.columns) * (bar + _GAP)
    group = max(room, bars + _APART)
    width = round(_LEFT + group * len(block.languages) + _RIGHT)
    top = _top(block)
    floor = _HEIGHT - _BOTTOM

    def y(value: float) -> float:
        return round(floor - (floor - _TOP) * min(max(value / top, 0.0), 1.0), 1)

    title = plain(f"{block.title}: {block.name}, by language")
    parts = [
        f'<svg class="chart" viewBox="0 0 {width} {_HEIGHT}" width="{width}" height="{_HEIGHT}" role="img" '
        f'aria-label="{escape(title)}; the numbers stand in the table of the same name">'
    ]
    for step in range(0, 5):
        mark = top * step / 4
        label = block.metric.unit.tick_text(mark)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{width - _RIGHT}" y1="{y(mark)}" y2="{y(mark)}"/>')
        parts.append(f'<text class="tick" x="{_LEFT - 6}" y="{y(mark) + 4}" text-anchor="end">{label}</text>')
    for place, language in enumerate(block.languages):
        middle = round(_LEFT + group * (place + 0.5), 1)
        left = middle - bars / 2
        parts.append(f'<text class="tick" x="{middle}" y="{_HEIGHT - 9}" text-anchor="middle">{escape(language)}</text>')
        for place_in_group, column in enumerate(block.columns):
            shown = block.cells.get((column, language))
            if shown is None or shown.line is None or (value := shown.number.value) is None:
                continue
            low, high = shown.number.low, shown.number.high
            x, line = round(left + place_in_group * (bar + _GAP), 1), shown.line
            tip = plain(f"{columns[column].label}, {language}: {line.value} {line.interval}")
            parts.append(
                f"<g><title>{escape(tip)}</title>"
                f'<rect class="column c{columns[column].colour}" x="{x}" y="{y(value)}" '
                f'width="{bar}" height="{round(floor - y(value), 1)}"/>'
            )
            if low is not None and high is not None:
                centre = round(x + bar / 2, 1)
                parts.append(
                    f'<path class="whisker" d="M{centre} {y(low)}V{y(high)}M{centre - 3} {y(low)}h6M{centre - 3} {y(high)}h6"/>'
                )
            parts.append("</g>")
    parts.append(f'<line class="axis" x1="{_LEFT}" x2="{width - _RIGHT}" y1="{floor}" y2="{floor}"/></svg>')
    return Markup("".join(parts))


def _top(block: Block) -> float:
    """The end of the axis: the highest value that the unit allows, or else the highest there is."""
    if math.isfinite(block.metric.unit.highest):
        return block.metric.unit.highest
    ends = [end for cell in block.cells.values() for end in (cell.number.value, cell.number.high) if end is not None]
    return max((end for end in ends if end > 0), default=1.0)
