"""Check of a rule for the choice of a setting against the items that it divides."""

from __future__ import annotations

from collections.abc import Sequence

from lensbench.errors import UsageError
from lensbench.metrics import SCORES
from lensbench.numbers.picking.rule import PickRule
from lensbench.numbers.picking.sides import SplitCount, sides_of
from lensbench.plan.task_items import TaskItems

__all__ = ["check_sides"]


def check_sides(rule: PickRule, tasks: Sequence[TaskItems]) -> tuple[SplitCount, ...]:
    """How a run's items are divided.

    Raises:
        UsageError: a task in a language that has no item to choose by, or none to report.
    """
    counts = sides_of((item.as_record() for asked in tasks for item in asked.items), rule).counts
    generates = {(a.planned.task.name, a.planned.task.language.code): a.planned.task.profile.generates for a in tasks}
    chooses = [one for one in counts if generates[one.task, one.language] == (rule.endpoint != SCORES.asks)]
    for sort, empty in (
        ("development", [one for one in chooses if not one.development]),
        ("test", [one for one in counts if not one.test]),
    ):
        if empty:
            named = ", ".join(f"{one.task}/{one.language} ({one.development + one.test} source items)" for one in empty)
            way = "larger" if sort == "development" else "smaller"
            raise UsageError(
                f"``pick={rule.text}``: no {sort} items in {named}",
                f"Which items choose depends on their names, not on their order. Ask more items (``limit``), or a {way} share.",
            )
    return counts
