"""One step of a batch whose answers belong to several variants: shared blocks run once, each variant's own blocks for its rows.

What the decoder hands to its blocks (masks, rotary embeddings) comes from its own forward, as in `lensbench.engines.blocks`. Keys
and values lie in one cache for all rows; a block that is called for some rows sees and adds to those of these rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers.cache_utils import DynamicCache, DynamicLayer

from lensbench.backbones.load import LoadedBackbone
from lensbench.engines.blocks import BlockCalls, Blocks
from lensbench.engines.layer_sharing import Branch, held_on_device
from lensbench.engines.tree.attention import KeysValues

__all__ = ["MultiVariantBatch"]


class MultiVariantBatch:
    """The backbone under several branches at once.

    Args:
        branches: None exchanges parameters of block 0: what shares nothing is better answered by itself. One that changes the
            ends of prompts reads its prompts by itself, and then goes on as the backbone.

    Raises:
        CannotPack: the blocks of this model cannot be called one by one.
    """

    def __init__(self, loaded: LoadedBackbone, branches: Sequence[Branch]) -> None:
        self._loaded, self._blocks = loaded, Blocks(loaded)
        self._model: Any = loaded.model
        self._branches = [branch if branch.is_patch else held_on_device(loaded, branch) for branch in branches]
        self._starts = [self._blocks.count if branch.start is None or branch.is_patch else branch.start for branch in branches]
        assert 0 not in self._starts, "a branch shares no block"

    def step(
        self,
        ids: Int[Tensor, "inputs new"],
        mask: Int[Tensor, "inputs width"],
        positions: Int[Tensor, "inputs new"],
        cache: Any,
        variants: Sequence[int],
        inputs: Sequence[int],
    ) -> Float[Tensor, "rows vocabulary"]:
        """Logits behind the last token of every row.

        Args:
            mask: 1 where the cache, with the new tokens, holds a token of the input.
            cache: A `DynamicCache` of all rows that keeps every key; the new keys and values are added.
            variants: Branch of every row.
            inputs: Input of every row. Several rows may begin with the same one; once the cache holds something, every row has
                its own, in order.
        """
        asked = {"input_ids": ids, "attention_mask": mask, "position_ids": positions}
        reads = not cache.get_seq_length()
        calls = self._blocks.capture_calls(**asked, past_key_values=cache, use_cache=True)
        step = _Step(self._loaded, calls, cache, inputs, len(ids))
        logits: dict[int, Tensor] = {}
        for variant in sorted(set(variants)):
            if reads and self._branches[variant].is_patch:
                rows = _rows_of(variants, variant)
                mine = {name: tensor[step.indices([inputs[row] for row in rows])] for name, tensor in asked.items()}
                logits.update(zip(rows, self._read_patched(self._branches[variant], mine, step, rows), strict=True))
        shared = [row for row in range(len(variants)) if row not in logits]
        states, held = calls.states, list(range(len(ids)))
        leaving: dict[int, Tensor] = {}
        for index in range(self._blocks.count + 1):
            for variant in {variants[row] for row in shared}:
                if self._starts[variant] == index:
                    places = [held.index(inputs[row]) for row in _rows_of(variants, variant)]
                    leaving[variant] = states[step.indices(places)]
            rows = [row for row in shared if self._starts[variants[row]] > index]
            if not rows:
                break
            wanted = sorted({inputs[row] for row in rows})
            if wanted != held:
                states, held = states[step.indices([held.index(each) for each in wanted])], wanted
            states = step.block(index, states, held, rows, [held.index(inputs[row]) for row in rows])
        for variant, states in leaving.items():
            rows, branch = _rows_of(variants, variant), self._branches[variant]
            with nullcontext() if branch.is_patch else branch.applied():
                for index in range(self._starts[variant], self._blocks.count):
                    states = step.block(index, states, [inputs[row] for row in rows], rows, list(range(len(rows))))
                logits.update(zip(rows, self._blocks.logits(states[None, :, -1]), strict=True))
        step.finish()
        return torch.stack([logits[row] for row in range(len(variants))])

    def _read_patched(self, branch: Branch, asked: dict[str, Tensor], step: _Step, rows: list[int]) -> Tensor:
        """Logits behind prompts whose ends are changed, by the model's own forward pass, which says where the ends are."""
        cache = DynamicCache()
        with branch.applied():
            output = self._model(**asked, past_key_values=cache, use_cache=True, logits_to_keep=1)
        for index, layer in enumerate(cache.layers):
            step.add(index, rows, (layer.keys, layer.values))
        logits: Tensor = output.logits[:, -1]
        return logits


def _rows_of(variants: Sequence[int], variant: int) -> list[int]:
    return [row for row, own in enumerate(variants) if own == variant]


class _RowsOfALayer:
    """A cache, as a block sees it that is called for some rows."""

    def __init__(self, before: KeysValues | None) -> None:
        self._before = before
        self.known: KeysValues | None = None

    def update(self, keys: Tensor, values: Tensor, *args: Any, **keywords: Any) -> KeysValues:
        if self._before is not None:
            keys, values = torch.cat([self._before[0], keys], -2), torch.cat([self._before[1], values], -2)
        self.known = keys, values
        return self.known


class _Step:
    """Block calls of one step; keys and values come piece by piece, until every row of every layer is there."""

    def __init__(self, loaded: LoadedBackbone, calls: BlockCalls, cache: Any, inputs: Sequence[int], read: int) -> None:
        self._loaded, self._calls, self._cache, self._read = loaded, calls, cache, read
        self._rows = len(inputs)
        self._pieces: dict[int, list[tuple[list[int], KeysValues]]] = {}
        self._indices: dict[tuple[int, ...], Tensor] = {}

    def indices(self, chosen: Sequence[int]) -> Tensor:
        key = tuple(chosen)
        if key not in self._indices:
            self._indices[key] = torch.tensor(chosen, device=self._calls.states.device)
        return self._indices[key]

    def _chosen(self, tensor: Tensor, chosen: Sequence[int]) -> Tensor:
        """Rows of a tensor; itself where that is all of them in order."""
        return tensor if list(chosen) == list(range(len(tensor))) else tensor[self.indices(chosen)]

    def block(self, index: int, states: Tensor, held: Sequence[int], rows: list[int], places: Sequence[int]) -> Tensor:
        """Output of a block.

        Args:
            held: Input behind each entry of `states`.
            rows: Rows that take over keys and values.
            places: Their entries in `states`.
        """
        layers = self._cache.layers
        before = (layers[index].keys, layers[index].values) if index < len(layers) else None
        cache = _RowsOfALayer(None if before is None else (self._chosen(before[0], rows), self._chosen(before[1], rows)))
        keywords = {name: self._of_inputs(value, held) for name, value in self._calls.keywords[index].items()}
        output = self._loaded.blocks[index](states, **{**keywords, "past_key_values": cache})
        assert cache.known is not None, "a block attends in a way of its own"
        keys, values = (self._chosen(known, places) for known in cache.known)
        self.add(index, rows, (keys, values))
        result: Tensor = output[0] if isinstance(output, tuple) else output
        return result

    def add(self, index: int, rows: list[int], known: KeysValues) -> None:
        """Keys and values of a layer for some rows."""
        self._pieces.setdefault(index, []).append((rows, known))

    def _of_inputs(self, value: Any, held: Sequence[int]) -> Any:
        """What a block is called with, for some of the inputs; what has one row for all stays as it is."""
        if isinstance(value, tuple):
            return tuple(self._of_inputs(part, held) for part in value)
        if isinstance(value, Tensor) and value.ndim > 1 and len(value) == self._read:
            return self._chosen(value, held)
        return value

    def finish(self) -> None:
        """Put the pieces into the cache."""
        for index, pieces in sorted(self._pieces.items()):
            order = [row for rows, _ in pieces for row in rows]
            back = sorted(range(self._rows), key=order.__getitem__)
            keys, values = (
                self._chosen(torch.cat([piece[side] for _, piece in pieces]) if len(pieces) > 1 else pieces[0][1][side], back)
                for side in (0, 1)
            )
            if index == len(self._cache.layers):
                layer = DynamicLayer()
                layer.lazy_initialization(keys, values)
                self._cache.layers.append(layer)
            self._cache.layers[index].keys, self._cache.layers[index].values = keys, values
