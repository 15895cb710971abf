"""A run folder that shows the records of a part of its items."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from typing import TypeVar

from lensbench.records.damage import Damage
from lensbench.records.run_folder import Place, RunFolder
from lensbench.records.types import ItemRecord, Record

__all__ = ["PartOfRun"]

R = TypeVar("R", bound=Record)


class PartOfRun(RunFolder):
    """The same folder with fewer items: whatever reads records reads those of these items only. Files are the whole run's.

    Args:
        whole: The run.
        items: Keys of the items that are shown.
    """

    def __init__(self, whole: RunFolder, items: Collection[str]) -> None:
        super().__init__(whole.path)
        self.whole = whole
        self._items = frozenset(items)

    @property
    def damage(self) -> list[Damage]:
        return self.whole.damage

    def counts(self, stage: str) -> Counter[Place]:
        """Of the whole run: what is missing of it is no matter of a part."""
        return self.whole.counts(stage)

    def records(self, kind: type[R]) -> Iterator[R]:
        """The records of one kind of these items.

        Raises:
            RunError: as of the whole run.
        """
        for record in self.whole.records(kind):
            if (record.key if isinstance(record, ItemRecord) else getattr(record, "item", None)) in self._items:
                yield record
