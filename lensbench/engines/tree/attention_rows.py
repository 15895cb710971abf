"""Which tokens of a pass attend to each other: a subtree is divided into rows with few masked products.

Projections and MLPs read the tokens of a pass side by side, so only attention knows rows. A row's queries are tokens of one or
several subtrees; its keys are those tokens and all their ancestors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lensbench.engines.tree.pack import Pass

__all__ = ["Layout", "Row", "bucket_rows", "cut_rows", "lay_out", "only_queries"]

_ROW = 24
"""Cost of gathering one key, in products of a query and a key."""
_PADDED = 1.3
"""Rows are padded to each other while this much more is computed."""


@dataclass(frozen=True)
class Layout:
    """The tokens of a pass in one line.

    Attributes:
        ids: `[tokens]`.
        depths: `[tokens]`, position in the input.
        ends: `[tokens]`, index behind the last token that has this one as an ancestor: i sees k if and only if
            k <= i < ends[k].
        starts: First token of each segment, then the number of tokens.
    """

    ids: np.ndarray
    depths: np.ndarray
    ends: np.ndarray
    starts: np.ndarray


@dataclass(frozen=True)
class Row:
    """Indices of queries, and of the keys of this pass they may see; the prefix is seen by all."""

    queries: np.ndarray
    keys: np.ndarray


def lay_out(step: Pass) -> Layout:
    """Put the segments of a pass behind each other."""
    segments = step.segments
    starts = np.concatenate([[0], np.cumsum([len(segment.tokens) for segment in segments])]).astype(np.int64)
    last = starts[1:].copy()
    for index in reversed(range(len(segments))):
        if segments[index].parent >= 0:
            last[segments[index].parent] = max(last[segments[index].parent], last[index])
    lengths = np.diff(starts)
    return Layout(
        ids=np.concatenate([segment.tokens for segment in segments]),
        depths=np.concatenate([segment.depth + np.arange(len(segment.tokens)) for segment in segments]),
        ends=np.repeat(last, lengths),
        starts=starts,
    )


def cut_rows(step: Pass, layout: Layout) -> list[Row]:
    """Rows in which every token of the pass is a query once."""
    segments, starts = step.segments, layout.starts
    cached = int(segments[0].depth)
    subtree = np.array([layout.ends[starts[i]] - starts[i] for i in range(len(segments))])
    children: list[list[int]] = [[] for _ in segments]
    for index, segment in enumerate(segments):
        if segment.parent >= 0:
            children[segment.parent].append(index)
    best = np.zeros(len(segments))
    whole = np.zeros(len(segments), dtype=bool)
    for index in reversed(range(len(segments))):
        above, own = segments[index].depth, len(segments[index].tokens)
        together = (subtree[index] + _ROW) * (above + subtree[index])
        apart = sum(best[child] for child in children[index]) + own * (above + own)
        whole[index] = not children[index] or together <= apart
        best[index] = together if whole[index] else apart
    rows: list[Row] = []
    # A span whose subtree is cut is read in the row of its first child.
    waiting: list[tuple[int, tuple[int, ...]]]
    waiting = [(index, ()) for index in reversed(range(len(segments))) if segments[index].parent < 0]
    while waiting:
        index, adopted = waiting.pop()
        if not whole[index]:
            first, *others = children[index]
            waiting += [(child, ()) for child in reversed(others)]
            waiting.append((first, (*adopted, index)))
            continue
        own_tokens = np.arange(starts[index], starts[index] + subtree[index])
        ancestors, parent = [], segments[index].parent
        while parent >= 0:
            ancestors.append(parent)
            parent = segments[parent].parent
        spans = {p: np.arange(starts[p], starts[p + 1]) for p in ancestors}
        queries = np.concatenate([*(spans[p] for p in adopted), own_tokens])
        rows.append(Row(queries, np.concatenate([*(spans[p] for p in reversed(ancestors)), own_tokens])))
    return _merged(rows, cached)


def _merged(rows: list[Row], cached: int) -> list[Row]:
    """Neighbours in one row where they share so many keys that this is cheaper."""
    made = rows[:1]
    for row in rows[1:]:
        last = made[-1]
        queries, keys = np.concatenate([last.queries, row.queries]), np.union1d(last.keys, row.keys)
        apart = sum((len(r.queries) + _ROW) * (cached + len(r.keys)) for r in (last, row))
        if (len(queries) + _ROW) * (cached + len(keys)) <= apart:
            made[-1] = Row(queries, keys)
        else:
            made.append(row)
    return made


def only_queries(rows: Sequence[Row], wanted: np.ndarray) -> list[Row]:
    """The rows with no queries but the wanted ones; rows without any are left out.

    Args:
        wanted: Indices, in rising order.
    """
    found = [Row(row.queries[np.isin(row.queries, wanted)], row.keys) for row in rows]
    return [row for row in found if len(row.queries)]


def bucket_rows(rows: Sequence[Row], cached: int) -> list[list[Row]]:
    """Rows that are padded to each other and computed in one call."""
    buckets: list[list[Row]] = []
    exact = 0
    for row in sorted(rows, key=lambda r: (-len(r.keys), -len(r.queries))):
        size = len(row.queries) * (cached + len(row.keys))
        if buckets:
            last = buckets[-1]
            width = max(len(r.queries) for r in (*last, row)) * (cached + len(last[0].keys))
            if width * (len(last) + 1) <= _PADDED * (exact + size):
                last.append(row)
                exact += size
                continue
        buckets.append([row])
        exact = size
    return buckets
