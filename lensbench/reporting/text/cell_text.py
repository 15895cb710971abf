"""One number of a run as text: its metric, value, interval and p-value."""

from __future__ import annotations

import re

from lensbench.metrics import Measured, metric_of
from lensbench.records import Grader

__all__ = ["interval", "metric_name", "number", "p_text"]


def metric_name(cell: Measured) -> str:
    """The metric in words, with the identifier or judge it comes from."""
    metric = metric_of(cell)
    name = metric.title
    if metric.higher_is_better is False:
        name += ", lower is better"
    grader = Grader.of_cell(cell.source, cell.unit)
    if grader is None:
        return name
    # One judge's file may be asked with another model.
    other = grader.model and not re.fullmatch(rf"{re.escape(grader.name)}(-[\d-]+)?", grader.model)
    return f"{name} · {grader.name}" + (f" ({grader.model})" if other else "")


def number(cell: Measured, value: float | None, *, missing: str = "", sign: bool = False) -> str:
    """A value of a cell in the unit of its metric.

    Args:
        missing: What stands where there is none.
    """
    return missing if value is None else metric_of(cell).unit.text(value, sign=sign)


def interval(cell: Measured, low: float | None, high: float | None, *, sign: bool = False) -> str:
    """`[low, high]`; "" where there is none."""
    if low is None or high is None:
        return ""
    return f"[{number(cell, low, sign=sign)}, {number(cell, high, sign=sign)}]"


def p_text(p_value: float | None) -> str:
    """Three decimals, and "<0.001" below."""
    if p_value is None:
        return ""
    return "<0.001" if p_value < 0.001 else f"{p_value:.3f}"
