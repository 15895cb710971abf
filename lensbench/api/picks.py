"""The rule for the choice of a setting, as a caller gives it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lensbench.api.arguments import known_arguments
from lensbench.errors import UsageError
from lensbench.numbers.picking.rule import parse_pick

if TYPE_CHECKING:
    from lensbench.plan.plan import Plan

__all__ = ["as_pick", "pick_lines"]


def as_pick(given: Any) -> str | None:
    """The rule as text (`lensbench.numbers.picking.rule`); None: nothing is chosen.

    Args:
        given: True for the default rule; a text such as "share=0.3" or "validation,endpoint=language"; or a mapping such as
            `{"share": 0.3, "endpoint": "language", "validation": True}`. None and False choose nothing.

    Raises:
        UsageError: another type, or no rule.
    """
    if given is None or given is False:
        return None
    if given is True:
        return parse_pick("").text
    if isinstance(given, Mapping):
        known_arguments(map(str, given), more=("share", "endpoint", "validation"))
        parts = [f"{key}={value}" for key, value in given.items() if key != "validation" and value is not None]
        given = ",".join([*(["validation"] if given.get("validation") else []), *parts])
    if not isinstance(given, str):
        raise UsageError(f"``pick`` must be a rule as text, found {given!r}", "Example: ``pick=share=0.3``")
    return parse_pick(given).text


def pick_lines(plan: Plan) -> list[str]:
    """How a setting will be chosen, and which items choose; nothing where none is chosen."""
    rule = plan.pick
    if rule is None:
        return []
    own = dict.fromkeys(f"{p.task.name}: its {p.development} split" for p in plan.tasks if p.development is not None)
    rest = dict.fromkeys(p.task.name for p in plan.tasks if p.development is None)
    by = [*own, *([f"{', '.join(rest)}: {rule.share:.0%} of the source items"] if rest else [])]
    condition = "; English must lose less than the margin" if plan.spec.english else ""
    return [f"pick      a setting of each method by {rule.endpoint} over the targets{condition}", f"          {'; '.join(by)}"]
