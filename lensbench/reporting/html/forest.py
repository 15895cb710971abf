"""A difference with its interval as a dot and a line, on a scale that the numbers of a column share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from markupsafe import Markup

from lensbench.numbers.average import Average

__all__ = ["forest_dot", "span_of", "strip"]

_SIZE = (64, 14, 4)
"""Width, height and edge."""


def span_of(averages: Iterable[Average]) -> float:
    """The largest distance from 0 of a difference or an end of its interval; 0 where there is none."""
    return max((abs(v) for a in averages for v in (a.delta, a.delta_low, a.delta_high) if v is not None), default=0.0)


def forest_dot(average: Average, span: float, tone: str) -> Markup:
    """The drawing; empty where there is no difference. The numbers stand beside it as text, so it has no name of its own.

    Args:
        span: Difference at the right edge; 0 is in the middle.
        tone: Class that colours it.
    """
    return strip(average.delta, average.delta_low, average.delta_high, span, tone, _SIZE)


def strip(
    delta: float | None,
    low: float | None,
    high: float | None,
    span: float,
    tone: str,
    size: tuple[int, int, int],
    seeds: Sequence[float] = (),
) -> Markup:
    """As `forest_dot`.

    Args:
        size: Width, height and edge, in pixels.
        seeds: Differences that are rings beside the dot.
    """
    if delta is None:
        return Markup("")
    width, height, edge = size

    def x(value: float) -> float:
        return round(width / 2 + (width / 2 - edge) * (value / span if span else 0.0), 1)

    middle = height // 2
    parts = [
        f'<svg class="forest {tone}" viewBox="0 0 {width} {height}" width="{width}" height="{height}" aria-hidden="true">'
        f'<path class="zero" d="M{width // 2} 0V{height}"/>'
    ]
    if low is not None and high is not None:
        parts.append(f'<path class="span" d="M{x(low)} {middle}H{x(high)}"/>')
    parts.append(f'<circle cx="{x(delta)}" cy="{middle}" r="3.2"/>')
    parts += [f'<circle class="seed" cx="{x(seed)}" cy="{middle}" r="2.4"/>' for seed in seeds]
    return Markup("".join([*parts, "</svg>"]))
