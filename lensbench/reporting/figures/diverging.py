"""A scale of colours from loss to gain: even steps to the eye, and told apart with every kind of colour vision."""

from __future__ import annotations

from math import cos, radians, sin

__all__ = ["diverging"]

_LOSS, _GAIN = (0.58, 0.155, 55.0), (0.58, 0.120, 245.0)
"""Ends of the scale as lightness, chroma and hue (degrees) of OKLCH: orange and blue, equally light."""
_MIDDLE = 0.985
"""Lightness at 0."""


def diverging(share: float) -> str:
    """Colour `#rrggbb` of a difference.

    The scale is straight in OKLab (Ottosson 2020), where equal distances look alike, so equal differences are equal steps. Orange
    and blue are told apart by people with any of the three forms of colour blindness. In grey only the size of a difference is
    seen, not its sign.

    Args:
        share: From -1 (the largest loss) over 0 (nearly white) to 1 (the largest gain); what lies beyond is cut.
    """
    amount = min(1.0, abs(share))
    lightness, chroma, hue = _GAIN if share > 0 else _LOSS
    light = _MIDDLE + (lightness - _MIDDLE) * amount
    a, b = amount * chroma * cos(radians(hue)), amount * chroma * sin(radians(hue))
    return "#" + "".join(f"{round(255 * _gamma(part)):02x}" for part in _linear(light, a, b))


def _linear(lightness: float, a: float, b: float) -> tuple[float, float, float]:
    """Linear sRGB of a colour of OKLab."""
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return (
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    )


def _gamma(part: float) -> float:
    part = min(1.0, max(0.0, part))
    return 12.92 * part if part <= 0.0031308 else 1.055 * part ** (1 / 2.4) - 0.055
