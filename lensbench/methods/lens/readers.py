"""How the trainer gets states: packed, which reads every distinct token once, or padded, the simple way."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from lensbench.engines.blocks import CannotPack
from lensbench.methods.base import Progress
from lensbench.methods.lens.config import LensConfig
from lensbench.methods.lens.packed import Pack, PackedBlocks, packs_of
from lensbench.methods.lens.prompts import pad
from lensbench.methods.lens.shared import REFERENCE, START, SharedStates, keys_of
from lensbench.methods.lens.state_cache import Key
from lensbench.methods.lens.states import ForkedBlocks, LayerStates

__all__ = ["Central", "PackedReader", "PaddedReader", "Reader", "Rows", "Targets", "pack_tokens", "pick_reader"]

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

    def begin(self, rows: Mapping[str, Rows], advance: Callable[[int], None] = ...) -> None:
        """What comes next is asked of these rows, the central language first, or of some of them.

        Args:
            advance: Called with the number of rows that have been read.
        """
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

    def begin(self, rows: Mapping[str, Rows], advance: Callable[[int], None] = lambda number: None) -> None:
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

    Frozen blocks read all rows before the training; trained ones read the central language apart from the others. Which rows are
    read together follows from all rows alone, so that the states are the same to the last bit whoever reads them.

    Args:
        longest: Tokens of the longest row.
        shared: Where states are kept.
        whole: The retention loss reads every token of the central language; else its last ones.

    Raises:
        CannotPack: with the reason.
    """

    def __init__(self, blocks: ForkedBlocks, longest: int, *, shared: SharedStates, whole: bool = True) -> None:
        self._blocks, self._shared, self._whole = blocks, shared, whole
        self._packed = PackedBlocks(blocks.loaded, longest)
        self._names = [_start(blocks.start), *map(_reference, blocks.layers)]
        self._keys: dict[Key, Key] = {}
        """Whether the whole row is read, and the row -> key of its states."""

    def begin(self, rows: Mapping[str, Rows], advance: Callable[[int], None] = lambda number: None) -> None:
        first, *_ = rows
        asked: dict[Key, Sequence[int]] = {
            (int(code == first and self._whole), *row): row for code, own in rows.items() for row in own
        }
        every = list(asked)
        for group in packs_of([asked[each] for each in every], pack_tokens(self._blocks.loaded.device)):
            mine = [every[index] for index in group]
            keys = keys_of("train", mine)
            if not self._shared.covers(keys, self._names):
                started = time.perf_counter()
                found = self._read_frozen([bool(whole) for whole, *_ in mine], [asked[each] for each in mine])
                self._shared.keep(dict(zip(keys, found, strict=True)), time.perf_counter() - started)
            self._keys |= dict(zip(mine, keys, strict=True))
            advance(len(mine))

    def _read_frozen(self, whole: Sequence[bool], rows: Rows) -> Iterator[dict[str, Tensor]]:
        """States of rows for every first trained block that anybody asked for."""
        blocks, starts, layers = self._blocks, self._shared.starts, self._shared.layers
        pack = Pack(rows, whole=whole, device=blocks.loaded.device)
        calls = self._packed.enter(pack)
        before: dict[int, Tensor] = {}
        with torch.no_grad(), blocks.frozen_in_place():
            states, done = calls.states, 0
            # The output of a block is the state in front of the next one.
            for place in sorted({*starts, *(layer + 1 for layer in layers if layer < starts[-1])}):
                states = before[place] = self._packed.between(pack, calls, states, done, place)
                done = place
            reference = self._packed.above(pack, calls, states, done, layers)
        reference |= {layer: before[layer + 1][0, pack.at] for layer in layers if layer not in reference}
        for index, places in zip(pack.index, pack.places, strict=True):
            yield {
                **{_start(start): before[start][0, index] for start in starts},
                **{_reference(layer): held[places] for layer, held in reference.items()},
            }

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
        pack = Pack(rows, whole=[whole] * len(rows), device=blocks.loaded.device)
        keys = [self._keys[int(whole), *row] for row in rows]
        held = self._shared.load(keys, self._names)
        frozen = [held[key] for key in keys]
        start = self._in_line([found[_start(blocks.start)] for found in frozen], pack.index, pack.tokens)[None]
        reference = {
            layer: self._in_line([found[_reference(layer)] for found in frozen], pack.places, len(pack.at))
            for layer in blocks.layers
        }
        with blocks.autocast():
            states = self._packed.above(pack, self._packed.enter(pack), start, blocks.start, blocks.layers)
        return pack, states, reference

    def _in_line(self, parts: Sequence[Tensor], places: Sequence[Any], count: int) -> Tensor:
        """`[count, hidden]`: states of rows, where each row stands in a line; where rows share a token, the last one's."""
        source = np.zeros(count, dtype=np.int64)
        begin = 0
        for part, place in zip(parts, places, strict=True):
            source[place] = np.arange(begin, begin + len(part))
            begin += len(part)
        device = self._blocks.loaded.device
        return torch.cat(list(parts)).to(device)[torch.from_numpy(source).to(device)]


def _start(block: int) -> str:
    return f"{START}{block}"


def _reference(layer: int) -> str:
    return f"{REFERENCE}{layer}"


def pack_tokens(device: torch.device) -> int:
    """Tokens that frozen blocks read together: an accelerator is idle between small passes, a processor is not."""
    return _TOKENS if device.type == "cpu" else 8 * _TOKENS


def pick_reader(
    blocks: ForkedBlocks, encoded: Mapping[str, Rows], config: LensConfig, shared: SharedStates, progress: Progress
) -> Reader:
    """The packed reader where it can read this model and gives what the losses want."""
    longest = max(len(row) for rows in encoded.values() for row in rows)
    if config.retain_pool == "all_positions":
        # Padding is part of what that pool averages.
        return PaddedReader(blocks)
    try:
        return PackedReader(blocks, longest, shared=shared, whole=config.retain_pool == "mean")
    except CannotPack as error:
        progress.notify(f"prompts are read in padded batches: {error}")
        return PaddedReader(blocks)
