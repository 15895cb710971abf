"""The part of a run that its numbers and views are of."""

from __future__ import annotations

from lensbench.numbers.picking.kept import PICK_FILE, read_pick
from lensbench.numbers.picking.sides import sides_of
from lensbench.records import ItemRecord, RunFolder
from lensbench.records.part_of_run import PartOfRun

__all__ = ["reported_part"]


def reported_part(folder: RunFolder) -> RunFolder:
    """The run without its development items; of a run without a rule for the choice of settings, all items of the tasks.

    Raises:
        RunError: the rule cannot be read.
    """
    if isinstance(folder, PartOfRun):
        return folder
    kept = read_pick(folder)
    if kept is not None:
        return PartOfRun(folder, sides_of(folder.records(ItemRecord), kept.rule).test)
    if folder.has(PICK_FILE):
        # A rule was there and is gone: items of a split that was asked to choose are still no items of the task.
        return PartOfRun(folder, {record.key for record in folder.records(ItemRecord) if record.split is None})
    return folder
