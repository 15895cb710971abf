"""Requests that share beginnings of every kind, for the tests of the tree engine."""

from __future__ import annotations

from hypothesis import strategies as st

Requests = tuple[list[tuple[int, ...]], list[list[int]]]
"""Inputs, and the tokens that are scored at the end of each."""


@st.composite
def requests(draw: st.DrawFn, *, tokens: int = 3, longest: int = 60, least: int = 0) -> Requests:
    """Repeats, one inside another, forks at every depth, a shared prefix, nothing at all.

    Args:
        tokens: Size of the vocabulary: few tokens share more.
        longest: Tokens of the shared prefix, at most.
        least: Tokens of an input, at least.
    """
    token = st.integers(0, tokens - 1)
    prefix = tuple(draw(st.lists(token, max_size=longest)))
    part = st.tuples(
        st.integers(0, 20), st.integers(0, longest), st.lists(token, min_size=least, max_size=14), st.integers(0, 12)
    )
    inputs: list[tuple[int, ...]] = [prefix]
    targets: list[list[int]] = [[]]
    for earlier, kept, more, scored in draw(st.lists(part, min_size=1, max_size=14)):
        ids = inputs[earlier % len(inputs)][:kept] + tuple(more)
        inputs.append(ids)
        targets.append(draw(st.lists(token, min_size=min(scored, len(ids)), max_size=min(scored, len(ids)))))
    return inputs, targets
