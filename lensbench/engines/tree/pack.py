"""A trie cut into forward passes: each reads unique tokens only, side by side without padding.

If the subtree below a shared prefix exceeds the token budget of one pass, the prefix gets its own pass. Its KV cache is kept
until the whole subtree is scored. So a few-shot prefix that all items share is read once. A short prefix is read again in every
pass: a pass over a handful of tokens costs as much as one over a hundred.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from lensbench.engines.tree.trie import ScoredToken, TokenSpan

__all__ = ["Pass", "Segment", "plan_passes"]

_READ_AGAIN = 64
"""A shared beginning is read again in every pass while it is at most this part of one."""


@dataclass(frozen=True)
class Segment:
    """A piece of a span, as one pass reads it."""

    tokens: np.ndarray
    depth: int
    parent: int
    """Index of the segment before it in the pass; -1 where it follows a prefix that was read before, or begins the input."""
    scored: tuple[ScoredToken, ...]
    """Offsets are in the segment."""
    ends: tuple[int, ...] = ()
    """Offsets of tokens that are the last of a prompt; unlike `scored`, also where the segment is read again."""


@dataclass(eq=False)
class Pass:
    """One forward pass.

    Attributes:
        above: The pass whose keys and values its tokens see, with all that one saw.
        is_prefix: Whether passes below see this one, so that its KV cache is kept; then it is a single chain.
        segments: Parents before children, a subtree at a stretch.
    """

    above: Pass | None
    is_prefix: bool
    segments: list[Segment] = field(default_factory=list)

    @property
    def tokens(self) -> int:
        return sum(len(segment.tokens) for segment in self.segments)

    @property
    def requests(self) -> set[int]:
        """Requests with a token that is scored in this pass."""
        return {request for segment in self.segments for _, request, _ in segment.scored}

    def chain(self) -> list[Pass]:
        """The passes of the prefix in front of it, first to last."""
        found: list[Pass] = []
        here = self.above
        while here is not None:
            found.append(here)
            here = here.above
        return found[::-1]


_Piece = tuple[TokenSpan, int, int]
"""Span, first token, token behind the last."""


def plan_passes(root: TokenSpan, budget: int) -> list[Pass]:
    """Passes in an order in which prefixes come before what sees them, and are needed no longer as soon as possible.

    The plan depends on nothing but the trie and the budget, so an interrupted evaluation makes the same passes when it goes on.

    Args:
        budget: Tokens a pass may read; at least 1.
    """
    passes: list[Pass] = []
    counted: set[tuple[int, int]] = set()
    waiting: list[tuple[TokenSpan, Pass | None, tuple[_Piece, ...]]] = [(root, None, ())]
    while waiting:
        span, above, lead = waiting.pop()
        held = sum(stop - start for _, start, stop in lead)
        if held + span.size <= budget:
            if span.size:
                passes.append(_pass(above, lead, [span], counted))
            continue
        start = 0
        if held + len(span.tokens) > max(budget // _READ_AGAIN, 0):
            for start in range(0, len(span.tokens), budget):
                piece = (span, start, min(start + budget, len(span.tokens)))
                above = Pass(above, True)
                _read(above, [*lead, piece], counted)
                passes.append(above)
                lead, held = (), 0
        elif len(span.tokens):
            lead, held = (*lead, (span, 0, len(span.tokens))), held + len(span.tokens)
        small = [child for child in span.children if held + child.size <= budget]
        # Subtrees of like size together: they are padded to each other where attention is computed.
        small.sort(key=lambda child: -child.size)
        passes += (_pass(above, lead, group, counted) for group in _groups(small, budget - held))
        waiting += [(child, above, lead) for child in reversed(span.children) if held + child.size > budget]
    return passes


def _groups(spans: list[TokenSpan], budget: int) -> Iterator[list[TokenSpan]]:
    """Subtrees together until the next one would not fit; the last groups are filled evenly."""
    total = sum(span.size for span in spans)
    many = -(-total // budget) if total else 0
    # Of 1100 tokens, two passes of 550 are better than one of 1000 and one of 100.
    wanted = min(budget, -(-total // many) + (spans[0].size if many > 1 else 0)) if many else budget
    group: list[TokenSpan] = []
    size = 0
    for span in spans:
        if group and size + span.size > wanted:
            yield group
            group, size = [], 0
        group.append(span)
        size += span.size
    if group:
        yield group


def _pass(above: Pass | None, lead: tuple[_Piece, ...], spans: list[TokenSpan], counted: set[tuple[int, int]]) -> Pass:
    made = Pass(above, False)
    _read(made, list(lead), counted)
    top = len(made.segments) - 1
    for span in spans:
        places = {id(span.parent): top}
        for each in span.below():
            if not len(each.tokens):
                places[id(each)] = places[id(each.parent)]
                continue
            made.segments.append(_segment((each, 0, len(each.tokens)), places[id(each.parent)], counted))
            places[id(each)] = len(made.segments) - 1
    return made


def _read(made: Pass, pieces: list[_Piece], counted: set[tuple[int, int]]) -> None:
    """Add pieces that follow each other."""
    for piece in pieces:
        made.segments.append(_segment(piece, len(made.segments) - 1, counted))


def _segment(piece: _Piece, parent: int, counted: set[tuple[int, int]]) -> Segment:
    span, start, stop = piece
    scored: tuple[ScoredToken, ...] = ()
    # What is read again is scored the first time only.
    if (id(span), start) not in counted:
        counted.add((id(span), start))
        scored = tuple((offset - start, request, token) for offset, request, token in span.scored if start <= offset < stop)
    ends = tuple(sorted(offset - start for offset in span.ends if start <= offset < stop))
    return Segment(span.tokens[start:stop], span.depth + start, parent, scored, ends)
