"""Every number of a run as tables: cells, averages by what they are for, and variants against each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from lensbench.metrics import metric_of
from lensbench.numbers.average import Average, Role
from lensbench.numbers.run_results import Results
from lensbench.records import TaskKey
from lensbench.reporting.text.answer_tables import kept, marked
from lensbench.reporting.text.cell_text import interval, metric_name, number, p_text
from lensbench.reporting.text.table import Line, table_lines
from lensbench.spec import BASE
from lensbench.textblocks import TextTable

__all__ = ["averages_tables", "cells_table", "pairs_table"]

_CELLS = ("task", "metric", "lang", "variant", "value", "95%", "diff", "95%", "p", "n", "failures", "chance")
_NUMBERS = frozenset({"value", "diff", "p", "n", "failures", "chance", "at worst", "margin"})
_COMMON = frozenset({"n", "failures", "chance", "margin"})
_TITLES: dict[Role, str] = {
    "endpoint": f"Endpoints: averages over the target languages, difference to {BASE}; tested together, p adjusted",
    "language": f"Languages of the endpoints, difference to {BASE}; tested where the endpoint passed, p adjusted",
    "english": f"English, difference to {BASE}, against the margin",
    "exploratory": f"Further averages, difference to {BASE} (exploratory: p is of the average alone, no verdict)",
}


def cells_table(results: Results, *, everything: bool = False) -> TextTable:
    """The cells of a run: level, difference to `base`, and the p-value of the cell alone.

    Args:
        everything: Every cell, not only those that `numbers.headline.table_cells` takes.
    """
    short = _short_names(results)
    rows = [_cell(line, short) for line in table_lines(results, everything=everything)]
    title = f"Cells, difference to {BASE} (exploratory: p is of the cell alone, no verdict)"
    return TextTable(_CELLS, rows, title, right=_NUMBERS, keys=4, blocks=2, common=_COMMON)


def _cell(line: Line, short: Mapping[str, str]) -> list[str]:
    what = [line.task, short.get(line.metric, line.metric), line.language, line.variant]
    return [*what, line.value, line.interval, line.delta, line.delta_interval, line.p_value, line.n, line.failures, line.chance]


def _short_names(results: Results) -> dict[str, str]:
    """Name of a metric with its grader -> the metric in few words, where that tells it from all others of the run."""
    names = {metric_name(cell): metric_of(cell) for cell in results.cells}
    often = Counter(metric.short for metric in names.values())
    return {name: metric.short for name, metric in names.items() if metric.short and often[metric.short] == 1}


def averages_tables(results: Results) -> list[TextTable]:
    """A table for each role that averages of this run have."""
    tables = []
    for role, title in _TITLES.items():
        averages = [average for average in results.averages if average.role == role]
        if averages:
            tables.append(_averages(results, role, title, averages))
    return tables


def _averages(results: Results, role: Role, title: str, averages: Sequence[Average]) -> TextTable:
    english, language = role == "english", role == "language"
    header = ["metric", "lang" if language else "of", "variant", "value", "95%", "diff", "95%"]
    header += ["at worst", "margin", "kept", "n"] if english else ["p", "n"]
    rows = []
    for average in averages:
        diff = number(average, average.delta, sign=True)
        row = [
            metric_name(average),
            (average.language or "") if language else _of(results, average),
            results.called(average.variant),
            number(average, average.value, missing="no score"),
            interval(average, average.low, average.high),
            marked(average, diff),
            interval(average, average.delta_low, average.delta_high, sign=True),
        ]
        if english:
            row += [number(average, average.at_worst, sign=True), number(average, average.margin), kept(average)]
        else:
            row.append(p_text(average.p_value if role == "exploratory" else average.p_holm))
        rows.append([*row, str(average.n)])
    return TextTable(header, rows, title, right=_NUMBERS, keys=3, blocks=1 if language else 2, common=_COMMON)


def pairs_table(results: Results) -> TextTable | None:
    """Enhanced variants against each other on the endpoints; None where there are fewer than two."""
    if not results.pairs:
        return None
    rows = [
        [
            metric_name(pair),
            pair.variant,
            pair.other,
            marked(pair, number(pair, pair.delta, sign=True)),
            interval(pair, pair.delta_low, pair.delta_high, sign=True),
            p_text(pair.p_holm),
        ]
        for pair in results.pairs
    ]
    title = "Variants against each other on the endpoints; p adjusted over the pairs of an endpoint"
    return TextTable(("metric", "variant", "less", "diff", "95%", "p"), rows, title, right=_NUMBERS, keys=3, blocks=1)


def _of(results: Results, average: Average) -> str:
    """What the average is over: `4 tasks x 6 languages`, `zh, 4 tasks`, `XCOPA, 6 languages`."""
    keys = [TaskKey.parse(cell) for cell in average.cells]
    tasks, languages = len({key.task for key in keys}), len({key.language for key in keys})
    title = results.tasks[keys[0]].title if average.task is not None and keys[0] in results.tasks else average.task
    task = title or f"{tasks} tasks"
    language = average.language or f"{languages} languages"
    rest = f" without {average.over.rpartition(' without ')[2]}" if " without " in average.over else ""
    return f"{language}, {task}{rest}" if average.language else f"{task}, {language}"
