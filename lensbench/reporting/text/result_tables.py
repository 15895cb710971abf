"""Every number of a run as tables: cells, averages by what they are for, and variants against each other."""

from __future__ import annotations

from collections.abc import Sequence

from lensbench.numbers.average import Average, Role
from lensbench.numbers.run_results import Results
from lensbench.records import TaskKey
from lensbench.reporting.blocks import MARKS
from lensbench.reporting.text.cell_text import interval, metric_name, number, p_text
from lensbench.reporting.text.table import table_lines
from lensbench.textblocks import TextTable

__all__ = ["averages_tables", "cells_table", "pairs_table"]

_CELLS = ("task", "metric", "lang", "variant", "value", "95%", "difference", "95%", "p", "n", "failures", "chance")
_NUMBERS = frozenset({"value", "difference", "p", "n", "failures", "chance", "at worst", "margin", "p (adjusted)"})
_TITLES: dict[Role, str] = {
    "endpoint": "Endpoints: averages over the target languages, tested together",
    "language": "Languages of the endpoints, tested where the endpoint passed",
    "english": "English, against the margin",
    "exploratory": "Further averages (exploratory: not adjusted, no verdict)",
}


def cells_table(results: Results, *, everything: bool = False) -> TextTable:
    """The cells of a run: level, difference to `base`, and the p-value of the cell alone.

    Args:
        everything: Every cell, not only those that `numbers.headline.table_cells` takes.
    """
    lines = table_lines(results, everything=everything)
    rows = [
        (
            x.task,
            x.metric,
            x.language,
            x.variant,
            x.value,
            x.interval,
            x.delta,
            x.delta_interval,
            x.p_value,
            x.n,
            x.failures,
            x.chance,
        )
        for x in lines
    ]
    title = "Cells (exploratory: p is of the cell alone, not adjusted)"
    return TextTable(_CELLS, rows, title, right=_NUMBERS, keys=4, blocks=2, common=frozenset({"n", "failures", "chance"}))


def averages_tables(results: Results) -> list[TextTable]:
    """A table for each role that averages of this run have."""
    tables = []
    for role, title in _TITLES.items():
        averages = [average for average in results.averages if average.role == role]
        if averages:
            tables.append(_averages(results, role, title, averages))
    return tables


def _averages(results: Results, role: Role, title: str, averages: Sequence[Average]) -> TextTable:
    tested = role in ("endpoint", "language")
    header = ["metric", "of", "variant", "value", "95%", "difference", "95%"]
    header += ["p (adjusted)" if tested else "p"]
    header += ["at worst", "margin", "kept"] if role == "english" else []
    header += ["n", *(["verdict"] if tested else [])]
    rows = []
    for average in averages:
        row = [
            metric_name(average),
            _of(results, average),
            average.variant,
            number(average, average.value, missing="no score"),
            interval(average, average.low, average.high),
            number(average, average.delta, sign=True),
            interval(average, average.delta_low, average.delta_high, sign=True),
            p_text(average.p_holm if tested else average.p_value),
        ]
        if role == "english":
            row += [number(average, average.at_worst, sign=True), number(average, average.margin), average.retention or ""]
        row.append(str(average.n))
        if tested:
            row.append(_verdict(average.verdict))
        rows.append(row)
    return TextTable(header, rows, title, right=_NUMBERS, keys=3, blocks=2, common=frozenset({"n", "margin"}))


def pairs_table(results: Results) -> TextTable | None:
    """Enhanced variants against each other on the endpoints; None where there are fewer than two."""
    if not results.pairs:
        return None
    header = ["metric", "variant", "less", "difference", "95%", "p (adjusted)", "verdict"]
    rows = [
        [
            metric_name(pair),
            pair.variant,
            pair.other,
            number(pair, pair.delta, sign=True),
            interval(pair, pair.delta_low, pair.delta_high, sign=True),
            p_text(pair.p_holm),
            _verdict(pair.verdict),
        ]
        for pair in results.pairs
    ]
    title = "Variants against each other on the endpoints"
    return TextTable(header, rows, title, right=_NUMBERS, keys=3, blocks=1)


def _verdict(verdict: str | None) -> str:
    mark = MARKS.get(verdict or "", "")
    return f"{mark} {verdict}" if mark else ""


def _of(results: Results, average: Average) -> str:
    """What the average is over: `4 tasks x 6 languages`, `zh, 4 tasks`, `XCOPA, 6 languages`."""
    keys = [TaskKey.parse(cell) for cell in average.cells]
    tasks, languages = len({key.task for key in keys}), len({key.language for key in keys})
    title = results.tasks[keys[0]].title if average.task is not None and keys[0] in results.tasks else average.task
    task = title or f"{tasks} tasks"
    language = average.language or f"{languages} languages"
    rest = f" without {average.over.rpartition(' without ')[2]}" if " without " in average.over else ""
    return f"{language}, {task}{rest}" if average.language else f"{task}, {language}"
