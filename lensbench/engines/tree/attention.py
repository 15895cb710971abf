"""Attention among the tokens of a trie, as an attention implementation of transformers.

The decoder blocks stay transformers' own. They see one line of tokens; what a block calls to attend gathers keys and values row
by row (`attention_rows.py`), so one function serves grouped queries, sliding windows and soft-capped scores of every family.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import AttentionInterface

from lensbench.engines.tree.attention_rows import Layout, Row, bucket_rows, only_queries

__all__ = ["NAME", "AttentionStep", "KeysOnly", "KeysValues", "RowTensors", "narrow_rows"]

NAME = "lensbench_tree"

_NARROW = 2 / 3
"""A block is computed for wanted tokens only, where they are at most this part of a line."""

KeysValues = tuple[Float[Tensor, "1 heads tokens dim"], Float[Tensor, "1 heads tokens dim"]]


class KeysOnly(Exception):
    """Leaves a block at its attention, once keys and values are known and nothing else is wanted of it."""


@dataclass(frozen=True)
class _Bucket:
    queries: Int[Tensor, " flat"]
    """rows x width; a padded query repeats the row's last."""
    keys: Int[Tensor, " flat"] | None
    """rows x width, counted from the first token of the prefix; None takes all as they come."""
    rows: int
    allowed: torch.Tensor
    """`[rows, 1, queries, keys]`, bool."""
    distance: torch.Tensor
    """`[rows, 1, queries, keys]`: positions between query and key."""


def narrow_rows(rows: Sequence[Row], layout: Layout, cached: int, device: torch.device, wanted: np.ndarray) -> RowTensors | None:
    """Rows with the wanted tokens as the only queries; None where a block had better be computed for all.

    Args:
        rows, layout, cached: As of `RowTensors`.
        wanted: Indices, in rising order.
    """
    few = 0 < len(wanted) <= _NARROW * len(layout.ids)
    return RowTensors(only_queries(rows, wanted), layout, cached, device, wanted) if few else None


class RowTensors:
    """The rows of a pass as index tensors and masks; made once, used in every block.

    Args:
        rows: Indices into the pass.
        layout: The pass they index.
        cached: Kept tokens in front, at depths 0 to cached - 1; every query sees them.
        wanted: The queries, in the order in which the output is to have them; None is all tokens of the pass.
    """

    def __init__(
        self, rows: Sequence[Row], layout: Layout, cached: int, device: torch.device, wanted: np.ndarray | None = None
    ) -> None:
        self._buckets: list[_Bucket] = []
        self._masks: dict[tuple[int, int | None, torch.dtype], Tensor] = {}
        depths = np.concatenate([np.arange(cached), layout.depths])
        ends = np.concatenate([np.full(cached, cached + len(layout.ids)), layout.ends + cached])
        total = cached + len(layout.ids)
        self._deepest = int(depths.max())
        place = np.full(len(layout.ids), -1)
        offset = 0
        for bucket in bucket_rows(rows, cached):
            width = max(len(row.queries) for row in bucket)
            span = cached + max(len(row.keys) for row in bucket)
            queries = np.stack([np.pad(row.queries, (0, width - len(row.queries)), mode="edge") for row in bucket]) + cached
            # A padded key is a token behind all others: nobody sees it.
            keys = np.full((len(bucket), span), total)
            for index, row in enumerate(bucket):
                keys[index, : cached + len(row.keys)] = np.concatenate([np.arange(cached), row.keys + cached])
                place[row.queries] = offset + index * width + np.arange(len(row.queries))
            offset += queries.size
            inside = np.minimum(keys, total - 1)
            allowed = (keys[:, None] <= queries[:, :, None]) & (queries[:, :, None] < ends[inside][:, None])
            distance = depths[queries][:, :, None] - depths[inside][:, None]
            plain = len(bucket) == 1 and span == total and bool((keys[0] == np.arange(total)).all())
            self._buckets.append(
                _Bucket(
                    torch.from_numpy(queries.reshape(-1) - cached).to(device),
                    None if plain else torch.from_numpy(inside.reshape(-1)).to(device),
                    len(bucket),
                    torch.from_numpy(allowed[:, None]).to(device),
                    torch.from_numpy(distance[:, None].astype(np.int32)).to(device),
                )
            )
        chosen = place if wanted is None else place[wanted]
        assert (chosen >= 0).all(), "a token is in no row"
        self._order = torch.from_numpy(chosen).to(device)
        # Queries come as the wanted tokens only.
        self._slot: Tensor | None = None
        if wanted is not None:
            slots = np.full(len(layout.ids), -1)
            slots[wanted] = np.arange(len(wanted))
            self._slot = torch.from_numpy(slots).to(device)

    def attend(
        self,
        query: Float[Tensor, "1 heads queries dim"],
        key: Float[Tensor, "1 kv_heads keys dim"],
        value: Float[Tensor, "1 kv_heads keys dim"],
        *,
        scaling: float | None,
        softcap: float | None,
        window: int | None,
    ) -> Float[Tensor, "1 queries heads dim"]:
        """Each query over the keys it may see; keys and values begin with those of the prefix."""
        heads, dim = query.shape[1], value.shape[-1]
        found = []
        for number, bucket in enumerate(self._buckets):
            chosen = bucket.queries if self._slot is None else self._slot[bucket.queries]
            q, k, v = (
                part if index is None else part[0].index_select(1, index).unflatten(1, (bucket.rows, -1)).transpose(0, 1)
                for part, index in ((query, chosen), (key, bucket.keys), (value, bucket.keys))
            )
            mask = self._mask(number, window, query.dtype)
            out = _soft_capped(q, k, v, mask, scaling, softcap) if softcap else _plain(q, k, v, mask, scaling)
            found.append(out.transpose(1, 2).reshape(-1, heads, dim))
        return torch.cat(found).index_select(0, self._order)[None]

    def _mask(self, number: int, window: int | None, dtype: torch.dtype) -> Tensor:
        """Additive; a window that reaches over everything is no window."""
        window = None if window is None or window > self._deepest else window
        made = self._masks.get((number, window, dtype))
        if made is None:
            bucket = self._buckets[number]
            allowed = bucket.allowed if window is None else bucket.allowed & (bucket.distance < window)
            made = torch.zeros(allowed.shape, dtype=dtype, device=allowed.device).masked_fill_(~allowed, float("-inf"))
            self._masks[number, window, dtype] = made
        return made


def _plain(q: Tensor, k: Tensor, v: Tensor, mask: Tensor, scaling: float | None) -> Tensor:
    grouped = q.shape[1] != k.shape[1]
    if grouped and q.device.type != "cpu":
        # With a mask, the kernels of accelerators want a key head for every query head.
        k, v = (part.repeat_interleave(q.shape[1] // part.shape[1], 1) for part in (k, v))
        grouped = False
    return torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=scaling, enable_gqa=grouped)


def _soft_capped(q: Tensor, k: Tensor, v: Tensor, mask: Tensor, scaling: float | None, softcap: float) -> Tensor:
    """Scores squeezed into -softcap..softcap before the mask (Gemma 2); no fused kernel does it everywhere."""
    k, v = (part.repeat_interleave(q.shape[1] // part.shape[1], 1) for part in (k, v))
    scores = q @ k.transpose(-1, -2) * (q.shape[-1] ** -0.5 if scaling is None else scaling)
    scores = torch.tanh(scores / softcap) * softcap + mask
    return scores.softmax(-1, dtype=torch.float32).to(q.dtype) @ v


@dataclass
class AttentionStep:
    """What one block needs to know of the pass under way, handed through the block's keyword arguments.

    Attributes:
        rows: None stops the block as soon as its keys and values are known.
        before: Keys and values of the prefix.
        whole: Keys and values that are complete already; the block's own are of wanted queries only and are not used.
        among: Keys and values of prefix and pass, and the places in them that the block's own take.
        known: Set by the block: keys and values of prefix and pass together.
    """

    rows: RowTensors | None
    before: KeysValues | None = None
    whole: KeysValues | None = None
    among: tuple[KeysValues, Int[Tensor, " own"]] | None = None
    known: KeysValues | None = None


def _tree_attention(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    lensbench_step: AttentionStep,
    scaling: float | None = None,
    softcap: float | None = None,
    sliding_window: int | None = None,
    **unused: Any,
) -> tuple[Tensor, None]:
    step = lensbench_step
    if step.whole is not None:
        step.known = step.whole
    elif step.among is not None:
        (keys, values), places = step.among
        step.known = (keys.index_copy(2, places, key), values.index_copy(2, places, value))
    elif step.before is not None:
        step.known = (torch.cat([step.before[0], key], 2), torch.cat([step.before[1], value], 2))
    else:
        step.known = (key, value)
    if step.rows is None:
        raise KeysOnly
    return step.rows.attend(query, *step.known, scaling=scaling, softcap=softcap, window=sliding_window), None


AttentionInterface.register(NAME, _tree_attention)
