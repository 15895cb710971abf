"""Language fidelity in all its units: one row per variant, one column per unit."""

from __future__ import annotations

from collections.abc import Sequence

from lensbench.metrics import READINGS, split_fidelity_name
from lensbench.numbers.cell import Cell

__all__ = ["fidelity_table"]


def fidelity_table(cells: Sequence[Cell]) -> tuple[list[str], list[list[str]]]:
    """Header and rows, in percent; a row for every way of reading a label.

    Args:
        cells: Of one identifier.
    """
    units: dict[str, None] = {}
    rows: dict[tuple[str, str, str, str], dict[str, Cell]] = {}
    for cell in cells:
        found = split_fidelity_name(cell.metric)
        if found is None:
            continue
        unit, reading = found
        units[unit] = None
        rows.setdefault((cell.task, cell.language, cell.variant, READINGS[reading]), {})[unit] = cell
    shown = []
    for key, row in rows.items():
        values = ["" if u not in row or (value := row[u].value) is None else f"{100 * value:.1f}" for u in units]
        first = next(iter(row.values()))
        shown.append([*key, *values, str(first.n), str(first.states.get("empty", 0))])
    return ["task", "lang", "variant", "labels", *(unit.replace("_", " ") for unit in units), "n", "empty"], shown
