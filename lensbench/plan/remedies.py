"""What to do where a task does not have a language that was asked for."""

from __future__ import annotations

from collections.abc import Sequence

from lensbench.tasks import TaskRegistry
from lensbench.tasks.resolve import how_to_add

__all__ = ["remedies"]


def remedies(registry: TaskRegistry, name: str, profile: str, codes: Sequence[str]) -> list[str]:
    """Lines for a message: other profiles of the task that have the languages, and how its file gets one.

    Args:
        name: As the user gave it: `xcopa`, or `xcopa@lm-eval`.
        profile: That of the run.
        codes: Languages that were asked for; those that the task has need no remedy.
    """
    entry = registry.find(name, profile)
    lacking = [code for code in codes if code not in entry.file.languages]
    lines = []
    for code in lacking:
        others = [e.file.profile for e in registry.of_name(entry.name) if e is not entry and code in e.file.languages]
        if others:
            lines.append(f"It has '{code}' under profile {', '.join(others)}: write {entry.name}@{others[0]}.")
    return [*lines, *([how_to_add(entry, lacking[0])] if lacking else [])]
