"""Gatekeeping: against Holm, against closed testing worked out subset by subset, and its error on simulated truths."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lensbench.stats import holm
from lensbench.stats.gatekeeping import first_shares, gated


def graphical(p_values: np.ndarray, weights: np.ndarray, graph: np.ndarray, *, highest: float = 1.0) -> np.ndarray:
    """Adjusted p-values: a test is rejected at a level where its adjusted p-value is at most that level.

    The whole matrix of edges, test by test, as the paper's Algorithm 2 has it.
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


def closed(p: np.ndarray, weights: np.ndarray, graph: np.ndarray) -> np.ndarray:
    """Closed testing, the slow way: every intersection by weighted Bonferroni, with the weights that the graph leaves to it."""
    n = len(p)
    found = np.zeros(n)
    for size in range(1, n + 1):
        for kept in itertools.combinations(range(n), size):
            w, g = weights.astype(float).copy(), graph.astype(float).copy()
            for gone in set(range(n)) - set(kept):
                new = g.copy()
                for a in range(n):
                    w[a] += w[gone] * g[gone, a] if a != gone else 0.0
                    for b in range(n):
                        loop = g[a, gone] * g[gone, a]
                        new[a, b] = (g[a, b] + g[a, gone] * g[gone, b]) / (1 - loop) if a != b and loop < 1 else 0.0
                new[gone, :] = new[:, gone] = 0.0
                w[gone], g = 0.0, new
            of_intersection = min((p[a] / w[a] for a in kept if w[a] > 0), default=1.0)
            for a in kept:
                found[a] = max(found[a], min(1.0, of_intersection))
    return found


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_equal_edges_are_holm(values: list[float]) -> None:
    p, n = np.array(values), len(values)
    graph = (np.ones((n, n)) - np.eye(n)) / max(n - 1, 1)
    assert graphical(p, np.full(n, 1 / n), graph) == pytest.approx(holm(p), abs=1e-9)


@given(st.integers(0, 10**6))
@settings(max_examples=60, deadline=None)
def test_closed_testing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 6))
    graph = rng.random((n, n)) * (1 - np.eye(n))
    graph /= graph.sum(1, keepdims=True)
    weights, p = rng.dirichlet(np.ones(n)), rng.random(n) ** 3
    assert graphical(p, weights, graph) == pytest.approx(closed(p, weights, graph), abs=1e-9)


@given(st.integers(0, 10**6))
@settings(max_examples=80, deadline=None)
def test_families_of_exchangeable_tests_as_one_node_each(seed: int) -> None:
    """The same adjusted p-values as from the matrix over all tests."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 6))
    primary = rng.random(n) ** 4
    opened = [rng.random(int(rng.integers(0, 5))) ** 4 for _ in range(n)]
    size = n + sum(map(len, opened))
    weights, edges, start = np.zeros(size), np.zeros((size, size)), n
    weights[:n] = 1 / n
    for own, tests in enumerate(opened):
        others, children = [other for other in range(n) if other != own], list(range(start, start + len(tests)))
        start += len(tests)
        half = 0.5 if others and children else 1.0
        edges[own, others] = half / max(len(others), 1)
        edges[own, children] = half / max(len(children), 1)
        for child in children:
            siblings = [other for other in children if other != child]
            onwards = (1e-6 if siblings else 1.0) if others else 0.0
            edges[child, siblings] = (1 - onwards) / max(len(siblings), 1)
            edges[child, others] = onwards / max(len(others), 1)
    expected = graphical(np.concatenate([primary, *opened]), weights, edges)
    found = gated(primary, opened)
    assert np.concatenate([found.primary, *found.opened]) == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_a_hundred_variants_take_seconds() -> None:
    rng = np.random.default_rng(0)
    start = time.process_time()
    found = gated(rng.random(300) * 1e-5, [rng.random(6) * 1e-5 for _ in range(300)])
    assert time.process_time() - start < 20 and found.primary.max() <= 0.05


def test_by_hand() -> None:
    """Two primary tests at 0.025 each. The first hands 0.0125 to the second and 0.0125 to what it opens."""
    found = gated(np.array([0.01, 0.04]), [np.array([0.005, 0.03]), np.array([0.001])])
    assert found.primary[0] == pytest.approx(0.02)
    # Of its two tests the better is tested at 0.00625, then the other at 0.0125.
    assert found.opened[0][0] == pytest.approx(0.04)
    assert found.opened[0][1] > 0.05
    # The second primary test is at 0.0375 as long as not all that the first opened is rejected.
    assert found.primary[1] == pytest.approx(0.04 / 0.75, abs=1e-4)
    assert found.opened[1][0] >= found.primary[1]
    # Everything that the first opens is rejected: the second then has the whole level.
    found = gated(np.array([0.01, 0.04]), [np.array([0.001, 0.002]), np.zeros(0)])
    assert found.primary[1] == pytest.approx(0.04, abs=1e-4)


def test_first_shares_are_those_that_the_procedure_begins_with() -> None:
    """A test passes on its own exactly where its p-value is below its first share of the level."""
    opened = [3, 0, 2]
    shares = first_shares(opened)
    assert shares.primary == pytest.approx([1 / 3] * 3)
    assert [list(own) for own in shares.opened] == [pytest.approx([1 / 18] * 3), [], pytest.approx([1 / 12] * 2)]
    for place, share in ((0, 1 / 18), (2, 1 / 12)):
        for factor, passes in ((0.99, True), (1.01, False)):
            primary, children = np.ones(3), [np.ones(n) for n in opened]
            primary[place] = 1e-9
            children[place][0] = 0.05 * share * factor
            assert bool(gated(primary, children).opened[place][0] <= 0.05) is passes


def test_nothing_to_test() -> None:
    found = gated(np.zeros(0), [])
    assert len(found.primary) == 0 and found.opened == ()


TRUTHS = {
    "nothing": lambda variants: np.zeros((variants, 3, 4)),
    "one endpoint of one variant": lambda variants: _changed(np.zeros((variants, 3, 4)), (0, 0), 0.6),
    "one language each": lambda variants: _changed(np.zeros((variants, 3, 4)), (slice(None), slice(None), 0), 0.8),
    "ups and downs that cancel": lambda variants: np.tile([0.5, -0.5, 0.0, 0.0], (variants, 3, 1)),
    "all but one language": lambda variants: _changed(np.full((variants, 3, 4), 0.6), (slice(None), slice(None), 3), 0.0),
}


def _changed(truth: np.ndarray, where: tuple, value: float) -> np.ndarray:
    truth[where] = value
    return truth


@pytest.mark.parametrize("runs", [1_000, pytest.param(10_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("variants", [1, 2, 5])
@pytest.mark.parametrize("truth", TRUTHS)
def test_family_wise_error(variants: int, truth: str, runs: int) -> None:
    """Three endpoints over four languages, languages and variants correlated; in how many is a true null rejected?"""
    from scipy.stats import norm

    error = 0.25
    effect = TRUTHS[truth](variants)
    rng = np.random.default_rng(11)
    common = rng.standard_normal((runs, 1, 3, 1)) * 0.6 + rng.standard_normal((runs, variants, 3, 1)) * 0.4
    noise = (common + rng.standard_normal((runs, variants, 3, 4)) * (1 - 0.6**2 - 0.4**2) ** 0.5) * error
    shown = effect + noise
    spread = error * ((0.6**2 + 0.4**2) + (1 - 0.6**2 - 0.4**2) / 4) ** 0.5
    p_mean = 2 * norm.sf(np.abs(shown.mean(3)) / spread)
    p_language = 2 * norm.sf(np.abs(shown) / error)
    null_mean, null_language = effect.mean(2).ravel() == 0, (effect == 0).reshape(-1, 4)
    # A run in which no true null has a small p-value cannot be wrong; only the others are adjusted.
    suspicious = ((p_mean.reshape(runs, -1) <= 0.05) & null_mean).any(1) | (
        (p_language.reshape(runs, -1, 4) <= 0.05) & null_language
    ).any((1, 2))
    wrong = 0
    for run in np.flatnonzero(suspicious):
        found = gated(p_mean[run].ravel(), list(p_language[run].reshape(-1, 4)), highest=0.05)
        rejected = (found.primary <= 0.05) & null_mean
        wrong += bool(rejected.any() or ((np.array(found.opened) <= 0.05) & null_language).any())
    assert wrong / runs <= 0.05 + 2 * (0.05 * 0.95 / runs) ** 0.5
