"""The margins of a run: how large a loss in English counts as none."""

from __future__ import annotations

import math
from collections.abc import Mapping

from lensbench.errors import RunError, UsageError, unknown_name
from lensbench.jsonio import JsonObject
from lensbench.metrics import LANGUAGES, POINTS, RATINGS, SCORES, SHARE, Unit
from lensbench.numbers.english import DEFAULT_MARGINS
from lensbench.records import RunFolder

__all__ = ["MARGINS_FILE", "keep_margins", "parse_margins", "read_margins", "shown_margins"]

MARGINS_FILE = "margins.json"
_UNITS: Mapping[str, Unit] = {SCORES.asks: SHARE, LANGUAGES.asks: SHARE, RATINGS.asks: POINTS}
"""Unit in which a user writes a margin: points of a percentage, or points of the judge's scale."""


def parse_margins(text: str) -> dict[str, float]:
    """Margins as a user writes them: `2`, or `accuracy=2,language=1,rating=0.2`; a number by itself is that of accuracy.

    Returns:
        Question of an endpoint -> margin in the unit of the value; only those that are named.

    Raises:
        UsageError: an unknown name, or no number above 0.
    """
    found: dict[str, float] = {}
    for part in text.split(","):
        name, given, value = part.strip().rpartition("=")
        name = name.strip() if given else SCORES.asks
        if name not in _UNITS:
            raise unknown_name("margin", name, list(_UNITS))
        found[name] = _margin(name, value.strip())
    return found


def _margin(name: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or number <= 0:
        raise UsageError(
            f"the margin of {name} is {text!r}, a number above 0 was expected",
            "Say how large a loss in English counts as none: 1, or accuracy=1,language=1,rating=0.1.",
        )
    return number / _UNITS[name].scale


def shown_margins(margins: Mapping[str, float]) -> str:
    """Margins as a user writes them."""
    return ",".join(f"{name}={_UNITS[name].scale * margins[name]:.6g}" for name in _UNITS if name in margins)


def keep_margins(folder: RunFolder, margins: Mapping[str, float]) -> None:
    """Write margins down beside the run; those that are not named stay as they are."""
    if margins:
        folder.write_json(MARGINS_FILE, {**read_margins(folder), **margins})


def read_margins(folder: RunFolder) -> dict[str, float]:
    """The margins of a run; the default ones where none were set.

    Raises:
        RunError: the file holds no margins.
    """
    content: JsonObject = folder.read_json(MARGINS_FILE) if folder.has(MARGINS_FILE) else {}
    numbers = isinstance(content, dict) and all(
        isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf for value in content.values()
    )
    if not numbers or not set(content) <= set(_UNITS):
        raise RunError(
            f"{folder.path}/{MARGINS_FILE}: no margins", f"Delete it, or write an object of numbers: {', '.join(_UNITS)}."
        )
    return {**DEFAULT_MARGINS, **content}
