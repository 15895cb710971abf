"""A comparison of two runs as rows of text."""

from __future__ import annotations

from lensbench.numbers.compare import Compared, Comparison
from lensbench.records import TaskKey
from lensbench.reporting.text.cell_text import interval, metric_name, number, p_text

__all__ = ["COMPARISON_HEADER", "comparison_notes", "comparison_rows"]

COMPARISON_HEADER = (
    "task",
    "lang",
    "metric",
    "A",
    "B",
    "value A",
    "value B",
    "B less A",
    "95%",
    "p (Holm)",
    "fixed",
    "broken",
    "both right",
    "both wrong",
    "n",
    "verdict",
)


def comparison_rows(cells: list[Compared]) -> list[list[str]]:
    """One row a number; of ratings "fixed" is better and "broken" is worse, and equal ones are in neither."""
    return [
        [
            cell.task,
            cell.language,
            metric_name(cell),
            cell.variant_a,
            cell.variant_b,
            number(cell, cell.value_a),
            number(cell, cell.value_b),
            number(cell, cell.delta, sign=True),
            interval(cell, cell.delta_low, cell.delta_high, sign=True),
            p_text(cell.p_holm),
            str(cell.fixed),
            str(cell.broken),
            "" if cell.both_right is None else str(cell.both_right),
            "" if cell.both_wrong is None else str(cell.both_wrong),
            str(cell.n),
            cell.verdict or "",
        ]
        for cell in cells
    ]


def comparison_notes(found: Comparison) -> list[str]:
    """What was compared, and everything that was not."""
    notes = []
    if found.cells:
        notes.append(
            "Compared are the items that have a score on both sides. fixed: B is right and A is not (for other scores: B is "
            "better). broken: A is right and B is not. 95%: paired bootstrap over source items. p is the two-sided p-value of a "
            "paired test. Null hypothesis: swapping the two scores on each source item changes nothing (McNemar's exact test, or "
            "random swaps). Holm's method adjusts it for the numbers of a pair of variants. Better or worse: p is below 0.05 and "
            "the interval does not contain 0."
        )
    notes += [f"! {note}" for note in found.notes]
    single = [cell for cell in found.cells if cell.only_a or cell.only_b]
    if single:
        listed = ", ".join(
            f"{TaskKey(cell.task, cell.language)} {cell.metric} ({cell.only_a} of {cell.variant_a} in A, "
            f"{cell.only_b} of {cell.variant_b} in B)"
            for cell in single
        )
        notes.append(f"left out, scores whose item has none on the other side: {listed}")
    for gap in found.gaps:
        place = str(TaskKey(gap.task, gap.language)) if gap.task else ""
        notes.append(f"not compared: {' '.join(part for part in (place, gap.what) if part)}: {gap.reason}")
    return notes
