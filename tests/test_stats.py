"""Intervals against scipy, and coverage on simulated data."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from lensbench.stats import paired_difference, wilson


@given(st.integers(1, 2000), st.data())
@settings(max_examples=80, deadline=None)
def test_wilson_equals_scipy(n: int, data: st.DataObject) -> None:
    k = data.draw(st.integers(0, n))
    found = wilson(np.array([1] * k + [0] * (n - k)))
    expected = stats.binomtest(k, n).proportion_ci(0.95, method="wilson")
    assert found.value == pytest.approx(k / n)
    assert (found.low, found.high) == (pytest.approx(expected.low, abs=1e-12), pytest.approx(expected.high, abs=1e-12))


def test_paired_difference_equals_scipy_bootstrap() -> None:
    rng = np.random.default_rng(1)
    base = rng.integers(0, 2, 400)
    variant = np.where(rng.random(400) < 0.15, 1 - base, base)
    found = paired_difference(variant, base, draws=40_000)
    expected = stats.bootstrap(
        ((variant - base).astype(float),), np.mean, n_resamples=40_000, method="percentile", rng=np.random.default_rng(2)
    ).confidence_interval
    assert found.value == pytest.approx((variant - base).mean())
    # Both are Monte Carlo: one item in 400 is 0.0025.
    assert found.low == pytest.approx(expected.low, abs=0.0026)
    assert found.high == pytest.approx(expected.high, abs=0.0026)


def test_paired_interval_covers() -> None:
    rng = np.random.default_rng(3)
    inside = 0
    for trial in range(400):
        difference = rng.choice([-1, 0, 1], size=300, p=[0.08, 0.8, 0.12])
        found = paired_difference(difference, np.zeros(300), draws=1000, seed=trial)
        inside += found.low <= 0.04 <= found.high
    assert 0.92 <= inside / 400 <= 0.98


def test_seeded() -> None:
    a, b = np.array([1, 0, 1, 1, 0]), np.array([0, 0, 1, 0, 0])
    assert paired_difference(a, b) == paired_difference(a, b)


@pytest.mark.parametrize("bad", [[], [0.5], [2]])
def test_wilson_refuses_what_is_no_share(bad: list[float]) -> None:
    with pytest.raises(ValueError, match="0 or 1"):
        wilson(np.array(bad))


def test_unpaired_is_refused() -> None:
    with pytest.raises(ValueError, match="equally long"):
        paired_difference(np.array([1, 0]), np.array([1]))
