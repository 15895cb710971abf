"""How many items a run will ask, from rows that are on this machine."""

from __future__ import annotations

from lensbench.datasets.rows import load_rows_spec
from lensbench.errors import LensbenchError
from lensbench.plan.plan import Plan, PlannedTask

__all__ = ["count_items"]


def count_items(plan: Plan) -> list[int | None]:
    """Items of every planned task, after the run's limit; None where they are known only to the hub or to lm-eval, or where the
    rows cannot be read."""
    return [_count(plan, planned) for planned in plan.tasks]


def _count(plan: Plan, planned: PlannedTask) -> int | None:
    if planned.rows is None or plan.spec.data == "hub":
        return None
    task = planned.task
    spec = load_rows_spec(planned.rows, task.entry.folder)
    splits = [task.split, *([planned.development] if planned.development is not None else [])]
    try:
        rows = [len(plan.source.load(spec, task.language, split)) for split in splits]
    except LensbenchError:
        # The run itself says what is wrong with them.
        return None
    limit = plan.spec.limit
    return sum(rows if limit is None else [min(count, limit) for count in rows])
