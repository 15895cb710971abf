"""One cell of `results.json` as text: its metric, value, interval, p-value and verdict."""

from __future__ import annotations

import re
from typing import Any

from lensbench.records import Grader
from lensbench.stats import ALPHA, direction_of

__all__ = ["METRICS", "in_unit", "interval", "metric_name", "number", "p_text", "verdict"]

METRICS = {
    "acc": "accuracy",
    "lf_turn1": "answers in the asked language",
    "lf_response": "answers in the asked language, both turns",
    "lf_question_concat": "conversations in the asked language",
    "rating": "judge's rating, 1 to 10",
    "rating_turn1": "judge's rating, turn 1",
    "rating_turn2": "judge's rating, turn 2",
}
"""What the one table shows; all other metrics (further units of fidelity, ratings by category) stand in results.json."""


def metric_name(cell: dict[str, Any]) -> str:
    """The metric in words, with the identifier or judge it comes from."""
    name = METRICS.get(cell["metric"], cell["metric"])
    if direction_of(cell) is False:
        name += ", lower is better"
    grader = Grader.of_cell(cell["source"], cell["unit"])
    if grader is None:
        return name
    # One judge's file may be asked with another model.
    other = grader.model and not re.fullmatch(rf"{re.escape(grader.name)}(-[\d-]+)?", grader.model)
    return f"{name} · {grader.name}" + (f" ({grader.model})" if other else "")


def number(cell: dict[str, Any], field: str, *, sign: bool = False) -> str:
    """Shares in percent with one digit, ratings with two, other numbers as they are with three."""
    plus = "+" if sign else ""
    return in_unit(cell[field], cell["unit"], plus)


def in_unit(value: float, unit: str, plus: str = "") -> str:
    if unit == "share":
        return f"{100 * value:{plus}.1f}"
    return f"{value:{plus}.2f}" if unit == "rating" else f"{value:{plus}.3f}"


def interval(cell: dict[str, Any], low: str, high: str, *, sign: bool = False) -> str:
    """`[low, high]`; "" where there is none."""
    if cell[low] is None or cell[high] is None:
        return ""
    return f"[{number(cell, low, sign=sign)}, {number(cell, high, sign=sign)}]"


def verdict(cell: dict[str, Any]) -> str:
    """What a cell or an average says, in the one way there is.

    "better" or "worse" where the p-value adjusted by Holm is below 0.05 and the interval of the difference lies on one side of
    0, the better one by the direction of the metric; "differs" there where nothing tells the direction; else "not
    distinguishable". "" where nothing was tested.
    """
    if cell.get("p_holm") is None:
        return ""
    if cell["p_holm"] < ALPHA and cell["delta_low"] is not None:
        if cell["delta_low"] > 0:
            return _sense(cell, up=True)
        if cell["delta_high"] < 0:
            return _sense(cell, up=False)
    return "not distinguishable"


def _sense(cell: dict[str, Any], *, up: bool) -> str:
    more = direction_of(cell)
    return "differs" if more is None else "better" if up == more else "worse"


def p_text(p_value: float | None) -> str:
    """Three decimals, and "<0.001" below."""
    if p_value is None:
        return ""
    return "<0.001" if p_value < 0.001 else f"{p_value:.3f}"
