"""Language fidelity in all its units: one row per variant, one column per unit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["fidelity_table"]


_READINGS = {"": "strict", "_lenient": "lenient", "_strip_code": "strict, without code"}
"""Suffix of a unit's name -> how the label was read."""


def fidelity_table(cells: Sequence[dict[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """Header and rows, in percent; a row for every way of reading a label.

    Args:
        cells: Of one identifier.
    """
    units: dict[str, None] = {}
    rows: dict[tuple[str, str, str, str], dict[str, dict[str, Any]]] = {}
    for cell in cells:
        suffix = next((s for s in _READINGS if s and cell["metric"].endswith(s)), "")
        unit = cell["metric"].removesuffix(suffix).removeprefix("lf_")
        units[unit] = None
        rows.setdefault((cell["task"], cell["language"], cell["variant"], _READINGS[suffix]), {})[unit] = cell
    shown = []
    for key, row in rows.items():
        values = [f"{100 * row[u]['value']:.1f}" if u in row and row[u]["value"] is not None else "" for u in units]
        first = next(iter(row.values()))
        shown.append([*key, *values, str(first["n"]), str(first["states"].get("empty", 0))])
    return ["task", "lang", "variant", "labels", *(unit.replace("_", " ") for unit in units), "n", "empty"], shown
