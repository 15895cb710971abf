"""Whether a run that goes on still asks the same questions of the same models: records of others never stand beside its own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from lensbench.errors import RunError
from lensbench.plan.task_items import TaskItems
from lensbench.records import ItemRecord, RunFolder, TaskKey

__all__ = ["check_questions", "check_variants"]

_HINT = "Give another --out to begin anew."


def check_questions(folder: RunFolder, tasks: Sequence[TaskItems]) -> None:
    """Compare the questions as they are worded now with those the run began with.

    Raises:
        RunError: they differ, as those of a chat template that holds the date do on the next day.
    """
    before: dict[TaskKey, set[str]] = defaultdict(set)
    for record in folder.records(ItemRecord):
        before[TaskKey(record.task, record.language)].add(record.key)
    for asked in tasks:
        place = TaskKey(asked.planned.task.name, asked.planned.task.language.code)
        if before[place] - {item.id for item in asked.items}:
            raise RunError(
                f"the questions of {place} are not those the run in {folder.path} began with: their wording has "
                "changed, as a chat template that holds the date changes it",
                _HINT,
            )


def check_variants(folder: RunFolder, about: Mapping[str, Any]) -> None:
    """Compare the variants with those that the folder has records of.

    Args:
        about: Content of `variants.json` to be.

    Raises:
        RunError: a variant, the weights' dtype or the tokenizer is another one.
    """
    if not folder.has("variants.json"):
        return
    before = folder.read_json("variants.json")
    recorded = {place.variant for stage in ("score", "answers") for place in folder.counts(stage)}
    if not recorded:
        return
    for key in ("dtype", "tokenizer_digest"):
        if before.get(key) != about[key]:
            raise RunError(
                f"the run in {folder.path} was begun with another {key}: {before.get(key)} there, {about[key]} here", _HINT
            )
    for name in sorted(recorded & before["variants"].keys() & about["variants"].keys()):
        if before["variants"][name]["digest"] != about["variants"][name]["digest"]:
            raise RunError(
                f"'{name}' is not what the scores in {folder.path} are of: it was fitted anew since, and came out otherwise",
                _HINT,
            )
