"""Tasks with a validation split of their own, whose items can choose a setting in place of a share of the test items."""

from __future__ import annotations

from collections.abc import Sequence

from lensbench.datasets.rows import load_rows_spec
from lensbench.datasets.sources import DataSource
from lensbench.errors import UsageError
from lensbench.tasks import TaskInLanguage

__all__ = ["VALIDATION_SPLITS", "own_splits"]

VALIDATION_SPLITS = ("validation", "val")
"""Names of such a split. A training split is none: methods may learn from it."""


def own_splits(asked: Sequence[tuple[TaskInLanguage, str | None]], source: DataSource) -> dict[str, str]:
    """Task -> the split whose items choose.

    A task has one if the data source has its rows in every language that the run asks, so that no translation of a development
    item is a test item. A task that is asked with few-shot examples has none: they come from that split.

    Args:
        asked: Each task in each language, with the name of its rows.

    Raises:
        UsageError: no task has one.
    """
    by_task: dict[str, list[tuple[TaskInLanguage, str | None]]] = {}
    for task, rows in asked:
        by_task.setdefault(task.name, []).append((task, rows))
    found = {}
    for name, own in by_task.items():
        split = next((split for split in VALIDATION_SPLITS if all(_has(task, rows, split, source) for task, rows in own)), None)
        if split is not None:
            found[name] = split
    if not found:
        raise UsageError(
            f"``pick=validation``: no task of this run has a validation split in all its languages ({', '.join(by_task)}) from "
            f"{source.describe()}",
            "``pick=share=0.3`` takes a share of the source items. Tasks with few-shot examples have no such split.",
        )
    return found


def _has(task: TaskInLanguage, rows: str | None, split: str, source: DataSource) -> bool:
    if rows is None or split == task.split or task.config.get("num_fewshot"):
        return False
    return source.has(load_rows_spec(rows, task.entry.folder), task.language, split)
