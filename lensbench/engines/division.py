"""Division of work between ranks. Every rank computes it itself, so the same calls in the same order give the same result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lensbench.engines.tree.pack import Pass

__all__ = ["Loads", "passes_of_items"]


class Loads:
    """What each rank has been given so far, in the unit of the costs: whoever got little last time gets more next time."""

    def __init__(self, ranks: int) -> None:
        self._given = [0.0] * ranks

    def assign_to_ranks(self, costs: Sequence[float], *, keep_neighbours: bool) -> list[int]:
        """The rank of each piece.

        Args:
            keep_neighbours: Pieces of one rank follow each other, so that few beginnings are read by two ranks. Otherwise each
                piece goes to whoever has least, the dearest first.
        """
        return self._neighbours(costs) if keep_neighbours else self._dearest_first(costs)

    def _neighbours(self, costs: Sequence[float]) -> list[int]:
        fair = (sum(self._given) + sum(costs)) / len(self._given)
        owners: list[int] = []
        waiting = sorted(range(len(self._given)), key=lambda rank: (self._given[rank], rank))
        for cost in costs:
            # A piece goes to the next rank when more than half of it would be too much for this one.
            while len(waiting) > 1 and self._given[waiting[0]] + cost / 2 > fair:
                waiting.pop(0)
            owners.append(waiting[0])
            self._given[waiting[0]] += cost
        return owners

    def _dearest_first(self, costs: Sequence[float]) -> list[int]:
        owners = [0] * len(costs)
        for index in sorted(range(len(costs)), key=lambda index: (-costs[index], index)):
            rank = min(range(len(self._given)), key=lambda rank: (self._given[rank], rank))
            owners[index] = rank
            self._given[rank] += costs[index]
        return owners


def passes_of_items(passes: Sequence[Pass], items: Sequence[str]) -> dict[str, int]:
    """The pass that scores most of an item, by item: whoever runs that one takes the item.

    Args:
        items: Of each request, which item it belongs to.
    """
    scored: dict[str, Counter[int]] = {}
    for number, step in enumerate(passes):
        for segment in step.segments:
            for _, request, _ in segment.scored:
                scored.setdefault(items[request], Counter())[number] += 1
    # The earlier of two that score as much: `most_common` keeps their order.
    return {item: count.most_common(1)[0][0] for item, count in scored.items()}
