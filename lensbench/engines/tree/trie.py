"""Requests as a token trie: a shared prefix of several inputs exists once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

__all__ = ["ScoredToken", "TokenSpan", "build_trie", "crossed"]

ScoredToken = tuple[int, int, int]
"""(offset in the span, request, token): the request is scored on how likely this token is behind the one at the offset."""


@dataclass(eq=False)
class TokenSpan:
    """Tokens that follow each other without a branch, and what may come behind them.

    Attributes:
        depth: Position of the first token in its inputs, from 0.
        size: Tokens in the span and everything below it.
        ends: Offsets of tokens that are the last of some request's prompt.
    """

    tokens: np.ndarray
    depth: int
    parent: TokenSpan | None = None
    children: list[TokenSpan] = field(default_factory=list)
    scored: list[ScoredToken] = field(default_factory=list)
    size: int = 0
    ends: set[int] = field(default_factory=set)

    def below(self) -> Iterator[TokenSpan]:
        """The span and everything below it, parents before children, a subtree at a stretch."""
        waiting = [self]
        while waiting:
            span = waiting.pop()
            yield span
            waiting += reversed(span.children)


def build_trie(
    inputs: Sequence[Sequence[int]],
    targets: Sequence[Sequence[int]],
    prompted: Sequence[bool] | None = None,
    *,
    apart: bool = False,
) -> TokenSpan:
    """The trie of all inputs; its root is an empty span, and its size is the number of unique tokens.

    Args:
        inputs: Token ids that are read, per request: context and continuation without the last token.
        targets: Token ids that are scored, per request: token k of n behind position len(input) - n + k.
        prompted: Which requests have a prompt; it ends where their first target is scored, and that is marked. None: no marks.
        apart: A token that ends a prompt is another one than the same token inside a prompt.
    """
    prompted = [False] * len(inputs) if prompted is None else prompted
    asked: dict[tuple[int, ...], list[int]] = {}
    for request, ids in enumerate(inputs):
        key = list(ids)
        if apart:
            end = len(ids) - len(targets[request]) if prompted[request] and targets[request] else -1
            key = [2 * token + (place == end) for place, token in enumerate(ids)]
        asked.setdefault(tuple(key), []).append(request)
    root = TokenSpan(np.zeros(0, dtype=np.int64), 0)
    ends: dict[int, list[tuple[int, ...]]] = {}
    path, before = [root], np.zeros(0, dtype=np.int64)
    for ids in sorted(asked):
        here = np.array(ids, dtype=np.int64)
        shared = _common_length(before, here)
        while len(path) > 1 and path[-1].depth >= shared:
            path.pop()
        last = path[-1]
        if last.depth + len(last.tokens) > shared:
            lower = _cut(last, shared - last.depth)
            ends[id(lower)] = ends.pop(id(last), [])
        if len(here) > shared:
            fresh = TokenSpan(here[shared:], shared, path[-1])
            path[-1].children.append(fresh)
            path.append(fresh)
        ends.setdefault(id(path[-1]), []).append(ids)
        before = here
    every = list(root.below())
    for span in reversed(every):
        span.size = len(span.tokens) + sum(child.size for child in span.children)
    for span in every:
        for ids in ends.get(id(span), []):
            for request in asked[ids]:
                _mark(span, request, len(ids), targets[request], prompted[request])
    if apart:
        for span in every:
            span.tokens = span.tokens >> 1
    return root


def crossed(
    root: TokenSpan, inputs: Sequence[Sequence[int]], targets: Sequence[Sequence[int]], prompted: Sequence[bool]
) -> set[int]:
    """Requests on whose path a prompt ends that is not their own, so that what changes its last token would change them too.

    Args:
        root: The trie of the other arguments, ends of prompts marked.
    """
    found: set[int] = set()
    above: dict[int, int] = {}
    for span in root.below():
        ends = above[id(span)] = len(span.ends) + (above[id(span.parent)] if span.parent is not None else 0)
        last = span.depth + len(span.tokens) - 1
        for offset, request, _ in span.scored:
            # The last target is scored behind the input's last token, where a span ends.
            if span.depth + offset == last == len(inputs[request]) - 1 and ends != int(prompted[request]):
                found.add(request)
    return found


def _common_length(one: np.ndarray, other: np.ndarray) -> int:
    shorter = min(len(one), len(other))
    unlike = np.flatnonzero(one[:shorter] != other[:shorter])
    return int(unlike[0]) if len(unlike) else shorter


def _cut(span: TokenSpan, length: int) -> TokenSpan:
    """Leave so many tokens in the span; the others become its only child, with all that came behind. Returns the child."""
    lower = TokenSpan(span.tokens[length:], span.depth + length, span, span.children)
    for child in lower.children:
        child.parent = lower
    span.tokens, span.children = span.tokens[:length], [lower]
    return lower


def _mark(span: TokenSpan, request: int, length: int, target: Sequence[int], prompted: bool) -> None:
    """Note where a request's tokens are scored, from the span its input ends in up towards the root."""
    here: TokenSpan | None = span
    for back, token in enumerate(reversed(target), start=1):
        position = length - back
        while here is not None and position < here.depth:
            here = here.parent
        assert here is not None, "more tokens are scored than are read"
        here.scored.append((position - here.depth, request, int(token)))
    if prompted and target and here is not None:
        here.ends.add(length - len(target) - here.depth)
