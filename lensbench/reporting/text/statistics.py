"""What the statistics of a table mean, in plain words."""

from __future__ import annotations

from collections import Counter

from lensbench.numbers.run_results import Results
from lensbench.records import TaskKey

__all__ = ["AVERAGES_NOTE", "statistics_notes"]

AVERAGES_NOTE = (
    "Each language has the same weight, and so does each task of a language, whatever its number of items. All versions of one "
    "source item count as one. Averages over the targets leave out English. Endpoints of all variants are tested together, the "
    "languages of an endpoint only where it passed (adjusted p, one error of 5% over all). English is kept where the 95% "
    "interval holds no loss as large as the margin."
)


def statistics_notes(results: Results) -> list[str]:
    """How intervals and tests are made, what a verdict is, and how small a difference these items can show."""
    found = [
        "[low, high] are 95% intervals over source items (docs/statistics.md). They cover the choice of items, but not the "
        "choice of training seed."
    ]
    tested = [cell for cell in results.cells if cell.p_value is not None]
    if not tested:
        return found
    found.append(
        "p of a cell is the two-sided p-value of a paired test, of this cell alone: it is exploratory and no verdict. Null "
        "hypothesis: swapping the scores of variant and base on each source item changes nothing (McNemar's exact test for right "
        "and wrong, random swaps for all else). Verdicts are on the endpoints and their languages: better or worse means that "
        "the adjusted p is below 0.05 and the interval does not contain 0. Not distinguishable does not mean equal."
    )
    found += _unnamed(results)
    return found


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
