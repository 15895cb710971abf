"""Rows of token ids as one line without padding: a shared prefix of several rows exists once, as in the tree engine."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from lensbench.backbones.load import LoadedBackbone
from lensbench.engines.blocks import BlockCalls, Blocks, CannotPack
from lensbench.engines.tree.attention import AttentionStep, RowTensors, narrow_rows
from lensbench.engines.tree.attention_rows import cut_rows, lay_out
from lensbench.engines.tree.pack import plan_passes
from lensbench.engines.tree.trie import build_trie
from lensbench.methods.lens.states import LayerStates

__all__ = ["Pack", "PackedBlocks", "packs_of"]


class Pack:
    """Rows in one line.

    Args:
        rows: Token ids.
        whole: Per row, whether every token is read; else the last one only.

    Attributes:
        ids: `[tokens]`.
        depths: `[tokens]`, position in the row.
        index: Per row, `[its tokens]`: where they are in the line.
        at: `[read]`, the tokens that are read, in rising order.
        places: Per row, `[its read tokens]`: where they are in `at`.
    """

    def __init__(self, rows: Sequence[Sequence[int]], *, whole: Sequence[bool], device: torch.device) -> None:
        root = build_trie(rows, rows)
        step = plan_passes(root, root.size)[0]
        layout = lay_out(step)
        index: list[list[int]] = [[] for _ in rows]
        # Every token of every row is "scored", so the trie knows which rows it belongs to; parents come before children.
        for segment, start in zip(step.segments, layout.starts[:-1].tolist(), strict=True):
            for offset, row, _ in segment.scored:
                index[row].append(start + offset)
        self.index = [np.array(sorted(places), dtype=np.int64) for places in index]
        wanted = [places if all_of_it else places[-1:] for places, all_of_it in zip(self.index, whole, strict=True)]
        read = np.unique(np.concatenate(wanted))
        cut = cut_rows(step, layout)
        self.rows = RowTensors(cut, layout, 0, device)
        self.narrow = narrow_rows(cut, layout, 0, device, read)
        self.ids, self.depths, self.at = (torch.from_numpy(a).to(device) for a in (layout.ids, layout.depths, read))
        self.places = [np.searchsorted(read, places) for places in wanted]

    @property
    def tokens(self) -> int:
        return len(self.ids)


def packs_of(rows: Sequence[Sequence[int]], budget: int) -> list[list[int]]:
    """Indices of rows that are read together: those that begin alike are neighbours, and no group has more than `budget` tokens.

    A row longer than the budget is a group of its own.
    """
    groups: list[list[int]] = []
    held = 0
    for index in sorted(range(len(rows)), key=lambda i: list(rows[i])):
        if not groups or held + len(rows[index]) > budget:
            groups.append([])
            held = 0
        groups[-1].append(index)
        held += len(rows[index])
    return groups


class PackedBlocks:
    """A backbone's blocks over a pack; whatever stands in their places when a method is called is computed.

    Args:
        longest: Tokens of the longest row.

    Raises:
        CannotPack: with the reason.
    """

    def __init__(self, loaded: LoadedBackbone, longest: int) -> None:
        self._loaded, self._blocks = loaded, Blocks(loaded)
        if self._blocks.longest is not None and longest > self._blocks.longest:
            raise CannotPack(f"a row of {longest} tokens changes the positions of shorter ones")

    def enter(self, pack: Pack) -> BlockCalls:
        return self._blocks.enter(pack.ids, pack.depths)

    def between(self, pack: Pack, calls: BlockCalls, states: Tensor, start: int, end: int) -> Tensor:
        """`[1, tokens, hidden]`: states in front of block `end`, from those in front of block `start`."""
        with self._blocks.ready():
            for index in range(start, end):
                states = self._blocks.block(index, states, calls, AttentionStep(pack.rows))
        return states

    def above(self, pack: Pack, calls: BlockCalls, states: Tensor, start: int, layers: tuple[int, ...]) -> LayerStates:
        """States of the read tokens, `[read, hidden]`, by layer, from those in front of block `start`.

        In the last block only what is read is computed.
        """
        last = self._blocks.count - 1
        found: LayerStates = {}
        with self._blocks.ready():
            for index in range(start, last):
                states = self._blocks.block(index, states, calls, AttentionStep(pack.rows))
                if index in layers:
                    found[index] = states[0, pack.at]
            if pack.narrow is None:
                states = self._blocks.block(last, states, calls, AttentionStep(pack.rows))[:, pack.at]
            else:
                step = AttentionStep(None)
                self._blocks.keys_values(last, states, calls, step)
                states = self._blocks.for_some(last, states, pack.ids, pack.depths, pack.at, pack.narrow, step.known)
            if last in layers:
                found[last] = states[0]
            if last + 1 in layers:
                found[last + 1] = self._loaded.final_norm(states)[0]
        return found
