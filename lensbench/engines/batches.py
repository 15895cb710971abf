"""Items grouped into batches of distinct inputs, for engines that read one sequence per input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set

from lensbench.engines.protocol import AssignToRanks, EngineVariant, ScoringRequests, TokenRequest

__all__ = ["batches_of", "divide_batches"]


def batches_of(requests: ScoringRequests, batch_size: int) -> list[list[str]]:
    """Ids of items, together until their distinct inputs fill a batch; an item is never divided.

    The longest come first: an out-of-memory comes at once, and the time left is over- rather than underestimated.
    """
    rows = dict(zip(requests.items, requests.rows, strict=True))
    ordered = sorted(requests.items, key=lambda item: (-_length(requests.items[item]), rows[item]))
    batches: list[list[str]] = []
    batch: list[str] = []
    inputs: set[tuple[int, ...]] = set()
    for item in ordered:
        own = {tuple((context + target)[:-1]) for _, context, target in requests.items[item]}
        if batch and len(inputs | own) > batch_size:
            batches.append(batch)
            batch, inputs = [], set()
        batch.append(item)
        inputs |= own
    return [*batches, batch] if batch else batches


def divide_batches(
    requests: ScoringRequests,
    variants: Sequence[EngineVariant],
    wanted: Mapping[str, Set[str]],
    assign: AssignToRanks,
    batch_size: int,
) -> dict[str, Set[str]]:
    """The wanted items of this process, in whole batches, one variant after the other."""
    batches = batches_of(requests, batch_size)
    own: dict[str, Set[str]] = {}
    for variant in variants:
        needed = [batch for batch in batches if not wanted[variant.name].isdisjoint(batch)]
        mine = assign([sum(_length(requests.items[item]) for item in batch) for batch in needed], keep_neighbours=False)
        own[variant.name] = {item for batch, is_mine in zip(needed, mine, strict=True) if is_mine for item in batch} & wanted[
            variant.name
        ]
    return own


def _length(requests: Sequence[TokenRequest]) -> int:
    """Tokens of the longest request."""
    return max(len(context) + len(target) for _, context, target in requests)
