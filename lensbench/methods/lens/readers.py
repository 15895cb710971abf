"""How the trainer gets states: packed, which reads every distinct token once, or padded, the simple way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from lensbench.engines.blocks import CannotPack
from lensbench.methods.base import Progress
from lensbench.methods.lens.config import LensConfig
from lensbench.methods.lens.packed import Pack, PackedBlocks, packs_of
from lensbench.methods.lens.prompts import pad
from lensbench.methods.lens.state_cache import Key, StateCache
from lensbench.methods.lens.states import ForkedBlocks, LayerStates

__all__ = ["Central", "PackedReader", "PaddedReader", "Reader", "Targets", "pick_reader"]

Rows = Sequence[Sequence[int]]

_TOKENS = 2048
"""Tokens that are read together, before rows share beginnings; one graph is held for so many of the target languages."""


@dataclass(frozen=True)
class Central:
    """The central language's rows, padded on the left."""

    states: dict[int, Float[Tensor, "rows seq hidden"]]
    reference: dict[int, Float[Tensor, "rows seq hidden"]]
    mask: Bool[Tensor, "rows seq"]


@dataclass(frozen=True)
class Targets:
    """Last tokens of one target language's rows."""

    states: dict[int, Float[Tensor, "rows hidden"]]
    reference: dict[int, Float[Tensor, "rows hidden"]]


class Reader(Protocol):
    """States with gradients, and the reference's without, by layer."""

    def begin(self, rows: Mapping[str, Rows]) -> None:
        """What comes next is asked of these rows, the central language first, or of some of them."""
        ...

    def central(self, rows: Rows) -> Central: ...

    def targets(self, rows: Mapping[str, Rows]) -> Iterator[dict[str, Targets]]:
        """Languages that share one graph; what was yielded before is done with."""
        ...


class PaddedReader:
    """One padded batch for each language; the reference for `PackedReader`, and for models it cannot read."""

    def __init__(self, blocks: ForkedBlocks) -> None:
        self._blocks = blocks
        self._pad = blocks.loaded.pad_id

    def begin(self, rows: Mapping[str, Rows]) -> None:
        pass

    def central(self, rows: Rows) -> Central:
        batch = pad(rows, self._pad, self._blocks.loaded.device)
        states, reference = self._blocks.states(batch)
        return Central(states, reference, batch.mask)

    def targets(self, rows: Mapping[str, Rows]) -> Iterator[dict[str, Targets]]:
        for code, own in rows.items():
            found = self._blocks.states(pad(own, self._pad, self._blocks.loaded.device))
            yield {code: Targets(*({layer: s[:, -1] for layer, s in side.items()} for side in found))}


class PackedReader:
    """Rows in one line without padding, shared beginnings once, the last block only where the losses read.

    Frozen blocks read all rows that were begun with together; trained ones read the central language apart from the others.

    Args:
        longest: Tokens of the longest row.
        kept: Where states go that later epochs read again; None keeps nothing.
        whole: The retention loss reads every token of the central language; else its last ones.

    Raises:
        CannotPack: with the reason.
    """

    def __init__(self, blocks: ForkedBlocks, longest: int, *, kept: StateCache | None = None, whole: bool = True) -> None:
        self._blocks, self._kept, self._whole = blocks, kept, whole
        self._packed = PackedBlocks(blocks.loaded, longest)
        self._frozen: dict[Key, dict[str, Tensor]] = {}
        """Of the rows under way: states in front of the first trained block, and the reference's."""

    def begin(self, rows: Mapping[str, Rows]) -> None:
        first, *_ = rows
        asked = {(code == first and self._whole, *row): row for code, own in rows.items() for row in own}
        held = self._frozen if self._kept is None else self._kept
        self._frozen = {key: held[key] for key in asked if key in held}
        missing = [key for key in asked if key not in self._frozen]
        for group in packs_of([asked[key] for key in missing], _TOKENS):
            keys = [missing[index] for index in group]
            for key, found in zip(keys, self._read_frozen(keys, [asked[key] for key in keys]), strict=True):
                self._frozen[key] = found
                if self._kept is not None:
                    self._kept.keep(key, found)

    def _read_frozen(self, keys: Sequence[Key], rows: Rows) -> Iterator[dict[str, Tensor]]:
        blocks = self._blocks
        pack = Pack(rows, whole=[bool(whole) for whole, *_ in keys], device=blocks.loaded.device)
        calls = self._packed.enter(pack)
        with torch.no_grad(), blocks.frozen_in_place():
            start = self._packed.below(pack, calls, blocks.start)
            reference = self._packed.above(pack, calls, start, blocks.start, blocks.layers)
        for index, places in zip(pack.index, pack.places, strict=True):
            yield {"start": start[0, index], **{f"reference.{layer}": states[places] for layer, states in reference.items()}}

    def central(self, rows: Rows) -> Central:
        pack, states, reference = self._read(rows, self._whole)
        width = max(len(places) for places in pack.places)
        where = torch.zeros(len(rows), width, dtype=torch.long)
        mask = torch.zeros(len(rows), width, dtype=torch.bool)
        for row, places in enumerate(pack.places):
            where[row, width - len(places) :] = torch.from_numpy(places)
            mask[row, width - len(places) :] = True
        where, mask = where.to(self._blocks.loaded.device), mask.to(self._blocks.loaded.device)
        return Central(
            {layer: found[where] for layer, found in states.items()},
            {layer: found[where] for layer, found in reference.items()},
            mask,
        )

    def targets(self, rows: Mapping[str, Rows]) -> Iterator[dict[str, Targets]]:
        together: dict[str, Rows] = {}
        held = 0
        for code, own in rows.items():
            size = sum(map(len, own))
            if together and held + size > _TOKENS:
                yield self._together(together)
                together, held = {}, 0
            together[code] = own
            held += size
        yield self._together(together)

    def _together(self, rows: Mapping[str, Rows]) -> dict[str, Targets]:
        pack, states, reference = self._read([row for own in rows.values() for row in own], False)
        last = torch.tensor([int(places[-1]) for places in pack.places], device=self._blocks.loaded.device)
        found, begin = {}, 0
        for code, own in rows.items():
            mine = last[begin : begin + len(own)]
            begin += len(own)
            found[code] = Targets(*({layer: s[mine] for layer, s in side.items()} for side in (states, reference)))
        return found

    def _read(self, rows: Rows, whole: bool) -> tuple[Pack, LayerStates, LayerStates]:
        """A pack of rows, what the trained blocks say of it, and what the frozen ones said."""
        blocks = self._blocks
        device, dtype, hidden = blocks.loaded.device, blocks.compute_dtype, blocks.loaded.hidden_size
        pack = Pack(rows, whole=[whole] * len(rows), device=device)
        start = torch.empty(1, pack.tokens, hidden, dtype=dtype, device=device)
        reference = {layer: torch.empty(len(pack.at), hidden, dtype=dtype, device=device) for layer in blocks.layers}
        for row, index, places in zip(rows, pack.index, pack.places, strict=True):
            found = self._frozen[whole, *row]
            start[0, index] = found["start"].to(device)
            for layer, held in reference.items():
                held[places] = found[f"reference.{layer}"].to(device)
        with blocks.autocast():
            states = self._packed.above(pack, self._packed.enter(pack), start, blocks.start, blocks.layers)
        return pack, states, reference


def pick_reader(
    blocks: ForkedBlocks, encoded: Mapping[str, Rows], config: LensConfig, kept: StateCache | None, progress: Progress
) -> Reader:
    """The packed reader where it can read this model and gives what the losses want."""
    longest = max(len(row) for rows in encoded.values() for row in rows)
    if config.retain_pool == "all_positions":
        # Padding is part of what that pool averages.
        return PaddedReader(blocks)
    try:
        return PackedReader(blocks, longest, kept=kept, whole=config.retain_pool == "mean")
    except CannotPack as error:
        progress.notify(f"prompts are read in padded batches: {error}")
        return PaddedReader(blocks)
