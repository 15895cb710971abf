"""A difference with its interval as a dot and a line, on a scale that the numbers of a column share."""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup

from lensbench.numbers.average import Average

__all__ = ["forest_dot", "span_of"]

_WIDTH, _HEIGHT, _EDGE = 64, 14, 4


def span_of(averages: Iterable[Average]) -> float:
    """The largest distance from 0 of a difference or an end of its interval; 0 where there is none."""
    return max((abs(v) for a in averages for v in (a.delta, a.delta_low, a.delta_high) if v is not None), default=0.0)


def forest_dot(average: Average, span: float, tone: str) -> Markup:
    """The drawing; empty where there is no difference. The numbers stand beside it as text, so it has no name of its own.

    Args:
        span: Difference at the right edge; 0 is in the middle.
        tone: Class that colours it.
    """
    if average.delta is None:
        return Markup("")

    def x(value: float) -> float:
        return round(_WIDTH / 2 + (_WIDTH / 2 - _EDGE) * (value / span if span else 0.0), 1)

    middle = _HEIGHT // 2
    parts = [
        f'<svg class="forest {tone}" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}" aria-hidden="true">'
        f'<path class="zero" d="M{_WIDTH // 2} 0V{_HEIGHT}"/>'
    ]
    if average.delta_low is not None and average.delta_high is not None:
        parts.append(f'<path class="span" d="M{x(average.delta_low)} {middle}H{x(average.delta_high)}"/>')
    parts.append(f'<circle cx="{x(average.delta)}" cy="{middle}" r="3.2"/></svg>')
    return Markup("".join(parts))
