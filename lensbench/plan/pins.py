"""What a run was begun with: rows and weights. Others under the same names are refused when it goes on."""

from __future__ import annotations

from collections.abc import Sequence

from lensbench.backbones.checkpoint import Checkpoint
from lensbench.errors import RunError
from lensbench.plan.task_items import LoadedRows
from lensbench.records import RunFolder

__all__ = ["pin_checkpoint", "pin_rows"]


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
    before = folder.pinned()
    changed = [key.removeprefix("digest:") for key, digest in digests.items() if before.get(key, digest) != digest]
    if changed:
        raise RunError(
            f"rows have changed since the run in {folder.path} was begun: {', '.join(changed)}",
            "Give another --out, or bring the old rows back.",
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
            f"the run in {folder.path} was begun with other weights{what}: {before} there, {checkpoint.digest} here",
            "Give another --out, or bring the old weights back.",
        )
    pins = {f"{name}_digest": checkpoint.digest}
    if checkpoint.kind == "hub" and checkpoint.revision:
        pins[f"{name}_revision"] = checkpoint.revision
    folder.pin(pins)
