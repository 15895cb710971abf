"""Gatekeeping: against Holm, against closed testing worked out subset by subset, and its error on simulated truths."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lensbench.stats import holm
from lensbench.stats.gatekeeping import first_shares, gated, graphical


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
