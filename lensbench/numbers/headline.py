"""Which metrics of a task are its headline numbers, and which cells the main table of a run shows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from lensbench.metrics import Metric, metric_of
from lensbench.numbers.cell import Cell
from lensbench.numbers.read_metrics import MetricSeries
from lensbench.records import TaskKey

__all__ = ["headline_of", "headline_series", "table_cells"]


def headline_of(metrics: Iterable[Metric]) -> Metric | None:
    """The task's own number among its metrics in one unit from one grader: the lowest rank, of equal ranks the first.

    Returns:
        None where none of them can be the task's own number.
    """
    ranked = [metric for metric in metrics if metric.headline is not None]
    return min(ranked, key=lambda metric: metric.headline or 0, default=None)


def headline_series(series: Sequence[MetricSeries]) -> list[MetricSeries]:
    """The series of headline metrics; only these are tested and averaged."""
    metrics: dict[tuple[TaskKey, str, str], dict[str, Metric]] = defaultdict(dict)
    for one in series:
        metrics[one.key, one.grader, one.metric.unit.name][one.metric.name] = one.metric
    found = {key: headline_of(own.values()) for key, own in metrics.items()}
    names = {key: metric.name for key, metric in found.items() if metric is not None}
    return [one for one in series if names.get((one.key, one.grader, one.metric.unit.name)) == one.metric.name]


def table_cells(cells: Sequence[Cell]) -> list[Cell]:
    """The cells that the one table of a run shows; all others stand in `results.json` only."""
    have = {(cell.task, cell.language, cell.metric) for cell in cells}
    found = []
    for cell in cells:
        metric = metric_of(cell)
        if metric.in_table and (cell.task, cell.language, metric.replaced_by) not in have:
            found.append(cell)
    return found
