"""What the statistics of a table mean, in plain words; and its averages as rows of text."""

from __future__ import annotations

from collections import Counter

from lensbench.metrics import Unit, metric_of
from lensbench.numbers.cell import Cell
from lensbench.numbers.run_results import Results
from lensbench.records import TaskKey
from lensbench.reporting.text.cell_text import interval, metric_name, number, p_text, verdict_text

__all__ = ["AVERAGES_HEADER", "AVERAGES_NOTE", "average_rows", "statistics_notes"]

AVERAGES_HEADER = ("average over", "of", "metric", "variant", "value", "95%", "diff to base", "95%", "p (Holm)", "n", "verdict")

AVERAGES_NOTE = (
    "Each cell has the same weight, whatever its number of items. Averages over languages leave out English and give each "
    "language the same weight. All versions of one source item are drawn and swapped together. p is adjusted with Holm's method "
    "for the averages of the variant; in that family, English without XCOPA, as papers print it, replaces English with it."
)


def statistics_notes(results: Results) -> list[str]:
    """How intervals and tests are made, what a verdict is, and how small a difference these items can show."""
    found = [
        "[low, high] are 95% intervals: Wilson's for a share of items, otherwise a bootstrap over source items, as for all "
        "differences to base. They cover the choice of items, but not the choice of training seed."
    ]
    tested = [cell for cell in results.cells if cell.p_value is not None]
    if not tested:
        return found
    family = Counter(cell.variant for cell in tested)
    sizes = ", ".join(f"{variant} {tests}" for variant, tests in family.items())
    found.append(
        "p is the two-sided p-value of a paired test. Null hypothesis: swapping the scores of variant and base on each source "
        "item changes nothing (McNemar's exact test for right and wrong, random swaps for all else). Holm's method adjusts it "
        f"for the number of tests of the variant ({sizes}: one for each task and language, of accuracy, of answers in the asked "
        "language or of the rating; parts of these are not tested). Better or worse: p is below 0.05 and the interval does not "
        "contain 0. Not distinguishable does not mean equal."
    )
    reach = _reach(results, tested)
    if reach:
        found.append(
            "Smallest true difference that this many items detect in four of five cases, at the strictest step of Holm's method: "
            f"{reach}. Smaller differences are mostly missed."
        )
    found += _unnamed(results)
    return found


def _reach(results: Results, tested: list[Cell]) -> str:
    """By task and kind of number, over languages and variants: `XCOPA 6.1 to 7.4 points`."""
    spans: dict[tuple[str, Unit], list[float | None]] = {}
    for cell in tested:
        title = results.task_of(cell).title
        metric = metric_of(cell)
        what = f" ({metric.mark})" if metric.mark else ""
        spans.setdefault((title + what, metric.unit), []).append(cell.smallest_detectable)
    parts = []
    for (name, unit), values in spans.items():
        known = [value for value in values if value is not None]
        if not known:
            parts.append(f"{name} not known")
            continue
        ends = dict.fromkeys(unit.text(v) for v in (min(known), max(known)))
        gaps = f" ({len(values) - len(known)} not known)" if len(known) < len(values) else ""
        parts.append(f"{name} {' to '.join(ends)}{unit.difference}{gaps}")
    return ", ".join(parts)


def _unnamed(results: Results) -> list[str]:
    """Items whose translations cannot be recognised: it matters only where languages are averaged."""
    # An average within one language never holds two versions of an item.
    across = {cell for average in results.averages if average.language is None for cell in average.cells}
    items: Counter[str] = Counter()
    for cell, n in results.unnamed.items():
        if cell in across:
            items[TaskKey.parse(cell).task] += n
    if not items:
        return []
    listed = ", ".join(f"{task} ({n})" for task, n in items.items())
    return [
        "Items without a source item count as separate items in averages over languages. If they are translations of each "
        f"other, the intervals of these averages are too narrow: {listed}."
    ]


def average_rows(results: Results) -> list[list[str]]:
    """The averages of a run, without those that no variant has."""
    rows = []
    for average in results.averages:
        members, over = len(average.cells), average.over
        if average.language is not None:
            of = average.language
        elif average.task is not None:
            of = results.tasks[TaskKey.parse(average.cells[0])].title
        else:
            of = "all targets"
        rows.append(
            [
                f"{over} ({members} cells)" if average.task is average.language is None else f"{members} {over}",
                of,
                metric_name(average),
                average.variant,
                number(average, average.value, missing="no score"),
                interval(average, average.low, average.high),
                number(average, average.delta, sign=True),
                interval(average, average.delta_low, average.delta_high, sign=True),
                p_text(average.p_holm),
                str(average.n),
                verdict_text(average),
            ]
        )
    return rows
