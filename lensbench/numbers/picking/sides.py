"""Which items of a run choose a setting, and which report it."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from lensbench.numbers.picking.rule import PickRule
from lensbench.records import ItemRecord, TaskKey

__all__ = ["SPLIT_VERSION", "Sides", "SplitCount", "is_development", "sides_of"]

SPLIT_VERSION = 1
"""Version of the division. It is part of what is hashed, so that another version divides otherwise."""
_SALT = f"lensbench development items {SPLIT_VERSION}"
_RANGE = 2**64


@dataclass(frozen=True)
class SplitCount:
    """How the items of one task in one language are divided, in source items.

    Attributes:
        split: The split whose items are the development items; None: a share of the source items.
    """

    task: str
    language: str
    development: int
    test: int
    split: str | None = None


@dataclass(frozen=True)
class Sides:
    """The two sides of a run's items, by the items' keys; together they are all items, and they have none in common."""

    development: frozenset[str]
    test: frozenset[str]
    counts: tuple[SplitCount, ...] = field(default=())


def is_development(source_item: str, share: float) -> bool:
    """Whether a source item chooses.

    It depends on the name of the source item and on the share only: further tasks, languages or items change nobody's side, and
    the development items of a smaller share are among those of a larger one.
    """
    digest = hashlib.sha256(f"{_SALT}\n{source_item}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") < share * _RANGE


def sides_of(items: Iterable[ItemRecord], rule: PickRule) -> Sides:
    """The sides of a run's items.

    Items of one source item are on one side, in all languages and tasks: they are the clusters of the statistics
    (`lensbench.numbers.pair.SourceItems`). Items that name no source item are divided by task and row number, so that rows that
    may be translations of each other are on one side too.

    Where a run asked the validation split of a task, that split is its development side and all others are test items.
    """
    records = list(items)
    own_split = {record.task: record.split for record in records if record.split is not None}
    development: set[str] = set()
    test: set[str] = set()
    found: dict[TaskKey, tuple[set[str], set[str]]] = defaultdict(lambda: (set(), set()))
    for record in records:
        name = source_item(record)
        if record.task in own_split:
            chooses = record.split is not None
        else:
            chooses = is_development(name, rule.share)
        (development if chooses else test).add(record.key)
        found[TaskKey(record.task, record.language)][0 if chooses else 1].add(name)
    counts = [SplitCount(k.task, k.language, len(own), len(rest), own_split.get(k.task)) for k, (own, rest) in found.items()]
    return Sides(frozenset(development), frozenset(test), tuple(counts))


def source_item(record: ItemRecord) -> str:
    """What is hashed of an item."""
    if record.source is not None:
        return f"source {record.source}"
    return f"item {record.task} {record.key if record.doc_id is None else record.doc_id}"
