"""Checks that a continued run asks the same questions of the same models as its first start.

Rows and weights are pinned when a run begins. Questions and variants are compared with the records that are there: records of
others must never stand beside a run's own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from lensbench.backbones.checkpoint import Checkpoint
from lensbench.errors import RunError
from lensbench.plan.task_items import LoadedRows, TaskItems
from lensbench.records import ItemRecord, RunFolder, TaskKey

__all__ = ["check_questions", "check_variants", "pin_checkpoint", "pin_rows"]

_HINT = "Give another ``out`` to begin anew."


def pin_rows(folder: RunFolder, rows: Sequence[LoadedRows]) -> None:
    """Write down which rows and few-shot examples the run began with; a data folder that was changed since holds other questions.

    Raises:
        RunError: they have changed.
    """
    digests = {}
    for entry in rows:
        key = f"digest:{entry.planned.rows}/{entry.planned.task.language.code}"
        if entry.rows is not None:
            digests[key] = entry.rows.origin.digest
        if entry.fewshot is not None:
            digests[f"{key}/examples"] = entry.fewshot.origin.digest
        if entry.development is not None:
            digests[f"{key}/development"] = entry.development.origin.digest
    before = folder.pinned()
    changed = [key.removeprefix("digest:") for key, digest in digests.items() if before.get(key, digest) != digest]
    if changed:
        raise RunError(
            f"rows have changed since the start of the run in {folder.path}: {', '.join(changed)}",
            "Give another ``out``, or restore the old rows.",
        )
    folder.pin(digests)


def pin_checkpoint(folder: RunFolder, checkpoint: Checkpoint, name: str = "backbone") -> None:
    """Write down which weights the run began with; other weights under the same name are not the same variant.

    Args:
        name: "backbone", or `variant:NAME`.

    Raises:
        RunError: they are others.
    """
    before = folder.pinned().get(f"{name}_digest")
    if before is not None and before != checkpoint.digest:
        what = "" if name == "backbone" else f" of {name.replace(':', ' ')}"
        raise RunError(
            f"the run in {folder.path} was started with other weights{what}: {before} there, {checkpoint.digest} here",
            "Give another ``out``, or restore the old weights.",
        )
    pins = {f"{name}_digest": checkpoint.digest}
    if checkpoint.kind == "hub" and checkpoint.revision:
        pins[f"{name}_revision"] = checkpoint.revision
    folder.pin(pins)


def check_questions(folder: RunFolder, tasks: Sequence[TaskItems]) -> None:
    """Compare the current wording of the questions with the wording at the start of the run.

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
                f"the run in {folder.path} was started with another {key}: {before.get(key)} there, {about[key]} here", _HINT
            )
    for name in sorted(recorded & before["variants"].keys() & about["variants"].keys()):
        if before["variants"][name]["digest"] != about["variants"][name]["digest"]:
            raise RunError(
                f"'{name}' differs from the one that was scored in {folder.path}: it was fitted again, with another result", _HINT
            )
