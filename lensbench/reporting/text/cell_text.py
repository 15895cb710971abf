"""One cell of `results.json` as text: its metric, value, interval and p-value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from lensbench.metrics import metric_of
from lensbench.records import Grader

__all__ = ["interval", "metric_name", "number", "p_text", "verdict_text"]


def metric_name(cell: Mapping[str, Any]) -> str:
    """The metric in words, with the identifier or judge it comes from."""
    metric = metric_of(cell)
    name = metric.title
    if metric.higher_is_better is False:
        name += ", lower is better"
    grader = Grader.of_cell(cell["source"], cell["unit"])
    if grader is None:
        return name
    # One judge's file may be asked with another model.
    other = grader.model and not re.fullmatch(rf"{re.escape(grader.name)}(-[\d-]+)?", grader.model)
    return f"{name} · {grader.name}" + (f" ({grader.model})" if other else "")


def number(cell: Mapping[str, Any], field: str, *, sign: bool = False) -> str:
    """A field of a cell in the unit of its metric."""
    return metric_of(cell).unit.text(cell[field], sign=sign)


def interval(cell: Mapping[str, Any], low: str, high: str, *, sign: bool = False) -> str:
    """`[low, high]`; "" where there is none."""
    if cell[low] is None or cell[high] is None:
        return ""
    return f"[{number(cell, low, sign=sign)}, {number(cell, high, sign=sign)}]"


def verdict_text(cell: Mapping[str, Any]) -> str:
    """The verdict of a cell, an average or a comparison; "" where nothing was tested."""
    return cell["verdict"] or ""


def p_text(p_value: float | None) -> str:
    """Three decimals, and "<0.001" below."""
    if p_value is None:
        return ""
    return "<0.001" if p_value < 0.001 else f"{p_value:.3f}"
