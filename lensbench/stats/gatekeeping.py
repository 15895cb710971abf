"""Primary tests, and tests that are only opened by them, with one family-wise error over all.

The graphical procedure of Bretz, Maurer, Brannath and Posch (2009, Statistics in Medicine 28, 586-604, Algorithm 2). Every test
begins with a share of the level; a rejected one hands its share on along weighted edges. It holds the family-wise error for any
dependence between the tests.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Gated", "first_shares", "gated"]

_LITTLE = 1e-6
"""Weight of an edge that matters only when all others are used up."""


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
    What is handed to a test that is rejected already goes on along that test's own edges.

    Args:
        primary: `[primary]` p-values.
        opened: For each primary test, `[tests]` p-values of the tests that it opens.
        highest: Adjusted p-values above this one are not worked out; they are 1.

    Returns:
        Adjusted p-values: a test is rejected at a level where its adjusted p-value is at most that level. That of a test which
        stays closed is at least that of the primary test before it.

    Raises:
        ValueError: unlike numbers of primary tests and of what they open, or a p-value that is no number from 0 to 1.
    """
    tests = [np.asarray(own, dtype=np.float64) for own in opened]
    p = np.asarray(primary, dtype=np.float64)
    if len(tests) != len(p) or not all(((own >= 0) & (own <= 1)).all() for own in (p, *tests)):
        raise ValueError("needs p-values from 0 to 1, and for each primary test the tests that it opens")
    adjusted, found = np.ones(len(p)), tuple(np.ones(len(own)) for own in tests)
    orders = [list(np.argsort(own, kind="stable")) for own in tests]
    graph = _Graph([len(own) for own in tests])
    reached = 0.0
    for _ in range(len(p) + sum(map(len, tests))):
        smallest = np.array([*p, *(own[order[0]] if order else 1.0 for own, order in zip(tests, orders, strict=True))])
        node, ratio = graph.first(smallest)
        reached = max(reached, ratio)
        if not np.isfinite(reached) or reached > highest:
            break
        if node < len(p):
            adjusted[node] = min(1.0, reached)
        else:
            own = node - len(p)
            found[own][orders[own].pop(0)] = min(1.0, reached)
        graph.remove(node)
    return Gated(adjusted, found)


class _Graph:
    """Weights and edges of the tests that are left.

    The tests that one primary test opens are exchangeable, so they are one node here: its weight, and the edges to it and from
    it, are those of each of its tests. Its edge to itself is that from one of them to another.
    """

    def __init__(self, opened: Sequence[int]) -> None:
        n = len(opened)
        self._left = np.array([1] * n + list(opened))
        self._weights = np.array([1 / max(n, 1)] * n + [0.0] * n)
        self._edges = np.zeros((2 * n, 2 * n))
        for own, tests in enumerate(opened):
            others = [other for other in range(n) if other != own]
            onwards, inwards = _split(bool(others), tests > 0)
            self._edges[own, others] = onwards / max(len(others), 1)
            if tests:
                self._edges[own, n + own] = inwards / tests
                little = _LITTLE if tests > 1 else 1.0
                self._edges[n + own, n + own] = (1 - _LITTLE if others else 1.0) / (tests - 1) if tests > 1 else 0.0
                self._edges[n + own, others] = little / max(len(others), 1)
        self._single = np.arange(2 * n) < n

    def first(self, p_values: NDArray[Any]) -> tuple[int, float]:
        """The node whose smallest p-value is the smallest share of its weight, and that p-value divided by the weight."""
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios = np.where((self._weights > 0) & (self._left > 0), p_values / self._weights, np.inf)
        node = int(np.argmin(ratios))
        return node, float(ratios[node])

    def remove(self, node: int) -> None:
        """Reject one test of a node: its weight goes along its edges, and paths through it become edges."""
        self._left[node] -= 1
        into, out = self._edges[:, node].copy(), self._edges[node].copy()
        gone, self._weights[node] = self._weights[node], 0.0 if self._single[node] else self._weights[node]
        self._weights += gone * out
        loops = 1 - into * out
        with np.errstate(divide="ignore", invalid="ignore"):
            self._edges += np.outer(into, out)
            self._edges /= np.where(loops > 0, loops, np.inf)[:, None]
        alone = np.flatnonzero(self._single | (self._left <= 1))
        self._edges[alone, alone] = 0.0
        if self._left[node] == 0:
            self._edges[node] = self._edges[:, node] = 0.0
            self._weights[node] = 0.0


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
