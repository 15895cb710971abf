"""Primary tests, and tests that are only opened by them, with one family-wise error over all.

The graphical procedure of Bretz, Maurer, Brannath and Posch (2009, Statistics in Medicine 28, 586-604, Algorithm 2). Every test
begins with a share of the level; a rejected one hands its share on along weighted edges. It holds the family-wise error for any
dependence between the tests.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Gated", "first_shares", "gated", "graphical"]

_LITTLE = 1e-6
"""Weight of an edge that matters only when all others are used up."""


def graphical(p_values: NDArray[Any], weights: NDArray[Any], graph: NDArray[Any], *, highest: float = 1.0) -> NDArray[Any]:
    """Adjusted p-values: a test is rejected at a level where its adjusted p-value is at most that level.

    Args:
        p_values: `[tests]`.
        weights: `[tests]`, share of the level that each test begins with; they add up to 1.
        graph: `[tests, tests]`, share of a rejected test's weight that each other test gets; rows add up to 1 or less.
        highest: Adjusted p-values above this one are not worked out; they are 1.

    Raises:
        ValueError: unlike sizes, or a p-value that is no number from 0 to 1.

    Examples:
        Equal weights and edges are Holm's procedure.

        >>> graphical(np.array([0.01, 0.04]), np.array([0.5, 0.5]), np.array([[0, 1], [1, 0]]))
        array([0.02, 0.04])
    """
    p, w, g = (np.array(values, dtype=np.float64) for values in (p_values, weights, graph))
    if w.shape != p.shape or g.shape != (len(p), len(p)) or not ((p >= 0) & (p <= 1)).all():
        raise ValueError("graphical takes p-values from 0 to 1, a weight for each, and an edge from each to each")
    adjusted, reached = np.ones(len(p)), 0.0
    left = list(range(len(p)))
    while left:
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(w[left] > 0, p[left] / w[left], np.inf)
        first = left[int(np.argmin(ratio))]
        reached = max(reached, float(ratio.min()))
        if not np.isfinite(reached) or reached > highest:
            break
        adjusted[first] = min(1.0, reached)
        left.remove(first)
        w[left] += w[first] * g[first, left]
        into, out = g[:, first].copy(), g[first].copy()
        loops = 1 - into * out
        with np.errstate(divide="ignore", invalid="ignore"):
            handed = np.where(loops[:, None] > 0, (g + np.outer(into, out)) / loops[:, None], 0.0)
        np.fill_diagonal(handed, 0.0)
        handed[first] = handed[:, first] = 0.0
        g = handed
    return adjusted


@dataclass(frozen=True)
class Gated:
    """A number for each primary test, `[primary]`, and for what each opens, one array a primary test."""

    primary: NDArray[Any]
    opened: tuple[NDArray[Any], ...]


def gated(primary: NDArray[Any], opened: Sequence[NDArray[Any]], *, highest: float = 1.0) -> Gated:
    """Primary tests, and tests that only a rejected primary test opens.

    Primary tests share the level equally. A rejected one hands half of its share to the other primary tests, in equal parts, and
    half to the tests that it opens, which Holm's procedure goes through. Where it opens none, the others get all; where there
    are no others, what it opens gets all. Once all that it opens is rejected too, their half goes to the other primary tests.

    Args:
        primary: `[primary]` p-values.
        opened: For each primary test, `[tests]` p-values of the tests that it opens.
        highest: See `graphical`.

    Returns:
        Adjusted p-values. That of a test which stays closed is at least that of the primary test before it.
    """
    n = len(primary)
    if not n:
        return Gated(np.zeros(0), ())
    ends = np.cumsum([n, *(len(tests) for tests in opened)])
    places = [list(range(start, end)) for start, end in itertools.pairwise(ends)]
    size = int(ends[-1])
    weights = np.zeros(size)
    weights[:n] = 1 / n
    graph = np.zeros((size, size))
    for own, children in enumerate(places):
        others = [other for other in range(n) if other != own]
        onwards, inwards = _split(bool(others), bool(children))
        if others:
            graph[own, others] = onwards / len(others)
        if children:
            graph[own, children] = inwards / len(children)
        for child in children:
            siblings = [other for other in children if other != child]
            little = _LITTLE if siblings else 1.0
            if siblings:
                graph[child, siblings] = (1 - _LITTLE if others else 1.0) / len(siblings)
            if others:
                graph[child, others] = little / len(others)
    adjusted = graphical(np.concatenate([primary, *opened]), weights, graph, highest=highest)
    return Gated(adjusted[:n], tuple(adjusted[own] for own in places))


def first_shares(opened: Sequence[int]) -> Gated:
    """The share of the level that each test begins with: a primary test at the start, an opened one when it is opened first.

    Args:
        opened: For each primary test, how many tests it opens.
    """
    n = len(opened)
    shares = []
    for tests in opened:
        inwards = _split(n > 1, tests > 0)[1]
        shares.append(np.full(tests, inwards / n / tests if tests else 0.0))
    return Gated(np.full(n, 1 / max(n, 1)), tuple(shares))


def _split(others: bool, children: bool) -> tuple[float, float]:
    """What a rejected primary test hands to other primary tests, and to what it opens."""
    if others and children:
        return 0.5, 0.5
    return float(others), float(children)
