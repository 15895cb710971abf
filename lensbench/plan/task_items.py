"""Loading rows and rendering items for every planned task."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from lensbench.datasets.rows import load_rows_spec
from lensbench.datasets.sources import Origin, Rows
from lensbench.errors import DataError, RunError, UnavailableError
from lensbench.languages import CENTRAL
from lensbench.plan.plan import Plan, PlannedTask
from lensbench.tasks import TaskInLanguage
from lensbench.tasks.build import Item, build_items, build_task

__all__ = ["EXAMPLE_SPLITS", "LoadedRows", "TaskItems", "load_rows", "render_items", "under_the_same_ids"]

EXAMPLE_SPLITS = ("val", "validation", "dev", "train")
"""Where few-shot examples are looked for when the split that the task names is not there, or it names none."""


@dataclass(frozen=True)
class LoadedRows:
    """The rows of one planned task."""

    planned: PlannedTask
    rows: Rows | None
    fewshot: Rows | None
    development: Rows | None = None
    """Of the split whose items only choose a setting."""


@dataclass(frozen=True)
class TaskItems:
    """One planned task with its lm-eval object and its items."""

    planned: PlannedTask
    built: Any
    items: tuple[Item, ...]
    origin: Origin | None

    @property
    def name(self) -> str:
        return f"{self.planned.task.name} {self.planned.task.language.code}"


def load_rows(plan: Plan, pinned: Mapping[str, str]) -> list[LoadedRows]:
    """The rows of every planned task, checked, before any model is loaded.

    Args:
        pinned: Hub commit by `rows:NAME`, from when the run began.

    Raises:
        DataError: a row is wrong, or examples are asked for and there are none.
        UnavailableError: rows are not available.
    """
    loaded = []
    for planned in plan.tasks:
        task = planned.task
        if planned.rows is None:
            loaded.append(LoadedRows(planned, None, None))
            continue
        spec = load_rows_spec(planned.rows, task.entry.folder)
        revision = pinned.get(f"rows:{planned.rows}")
        with _english_may_be_left_out(plan, task):
            rows = plan.source.load(spec, task.language, task.split, revision)
        fewshot = None
        if task.config.get("num_fewshot"):
            split = task.config.get("fewshot_split")
            # The scored rows are examples only where the task itself says so: each would be shown with its answer.
            others = [other for other in EXAMPLE_SPLITS if other not in (task.split, split)]
            candidates = [split, *others] if split else others
            for candidate in candidates:
                if plan.source.has(spec, task.language, candidate):
                    fewshot = plan.source.load(spec, task.language, candidate, revision)
                    break
            if fewshot is None:
                raise DataError(
                    f"``num_fewshot={task.config['num_fewshot']}``: {plan.source.describe()} has no examples for "
                    f"'{task.name}' in '{task.language.code}' (splits {', '.join(candidates)})"
                )
            if len(fewshot) < task.config["num_fewshot"]:
                raise DataError(
                    f"``num_fewshot={task.config['num_fewshot']}``: only {len(fewshot)} examples for '{task.name}' in "
                    f"'{task.language.code}'"
                )
        development = None
        if planned.development is not None:
            development = plan.source.load(spec, task.language, planned.development, revision)
        loaded.append(LoadedRows(planned, rows, fewshot, development))
    return loaded


@contextmanager
def _english_may_be_left_out(plan: Plan, task: TaskInLanguage) -> Iterator[None]:
    """An error says so, where English is asked beside target languages and its rows is not available."""
    try:
        yield
    except UnavailableError as error:
        if task.language.code == CENTRAL and plan.spec.languages:
            way = "``english=False`` asks nothing in English, and the rest of the run needs no such rows."
            error.hint = f"{way}\n  {error.hint}" if error.hint else way
        raise


def render_items(plan: Plan, loaded: list[LoadedRows], render_chat: Callable[..., str]) -> list[TaskItems]:
    """lm-eval objects and rendered items."""
    asked = []
    for entry in loaded:
        built = build_task(entry.planned.task, entry.rows, entry.fewshot)
        items = build_items(entry.planned.task, built, render_chat, plan.spec.limit, _source(entry))
        split = entry.planned.development
        if split is not None and entry.development is not None:
            # To lm-eval these rows are the scored ones of a task of their own.
            own = build_task(entry.planned.task, entry.development)
            source = _source(entry, split)
            items += build_items(entry.planned.task, own, render_chat, plan.spec.limit, source, split=split)
        asked.append(TaskItems(entry.planned, built, tuple(items), entry.rows.origin if entry.rows else None))
    return asked


def _source(entry: LoadedRows, split: str | None = None) -> tuple[str, str] | None:
    """The column of the rows that names the source item, and what stands before its values.

    Args:
        split: None: the scored one.
    """
    if entry.rows is None or entry.planned.rows is None:
        return None
    task = entry.planned.task
    spec = load_rows_spec(entry.planned.rows, task.entry.folder)
    prefix = spec.source_prefix(split or task.split, entry.rows.origin.stand_in)
    return (spec.source_item.column, prefix) if prefix is not None and spec.source_item is not None else None


def under_the_same_ids(asked: Sequence[TaskItems], original: Sequence[TaskItems]) -> list[TaskItems]:
    """The run's questions as another checkpoint's chat template words them, under the ids they have for the backbone.

    An id stands for the question as the backbone is asked it, and answers are paired by it. Only the template can differ here,
    which is part of an answer's key by way of the tokenizer's digest.

    Raises:
        RunError: the two are not the same rows.
    """
    renamed = []
    for theirs, ours in zip(asked, original, strict=True):
        if [item.row for item in theirs.items] != [item.row for item in ours.items]:
            raise RunError(f"{ours.name}: rows differ between two variants of one run")
        items = tuple(replace(item, id=own.id) for item, own in zip(theirs.items, ours.items, strict=True))
        renamed.append(replace(theirs, items=items))
    return renamed
