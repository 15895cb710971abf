"""Intervals against scipy, and coverage on simulated data."""

from __future__ import annotations

import krippendorff
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from lensbench.stats import bootstrap_means, clustered_slope, krippendorff_alpha, paired_bootstrap, wilson, within_unit_deviation


@given(st.integers(1, 2000), st.data())
@settings(max_examples=80, deadline=None)
def test_wilson_equals_scipy(n: int, data: st.DataObject) -> None:
    k = data.draw(st.integers(0, n))
    found = wilson(np.array([1] * k + [0] * (n - k)))
    expected = stats.binomtest(k, n).proportion_ci(0.95, method="wilson")
    assert found.value == pytest.approx(k / n)
    assert (found.low, found.high) == (pytest.approx(expected.low, abs=1e-12), pytest.approx(expected.high, abs=1e-12))


def test_a_paired_difference_has_the_interval_of_scipys_bootstrap() -> None:
    rng = np.random.default_rng(1)
    base = rng.integers(0, 2, 400)
    variant = np.where(rng.random(400) < 0.15, 1 - base, base)
    found = paired_bootstrap(variant, base, np.arange(400), draws=40_000)
    expected = stats.bootstrap(
        ((variant - base).astype(float),), np.mean, n_resamples=40_000, method="percentile", rng=np.random.default_rng(2)
    ).confidence_interval
    assert found.value[0] == pytest.approx((variant - base).mean())
    # Both are Monte Carlo: one item in 400 is 0.0025.
    assert found.low[0] == pytest.approx(expected.low, abs=0.0026)
    assert found.high[0] == pytest.approx(expected.high, abs=0.0026)


@pytest.mark.parametrize("bad", [[], [0.5], [2]])
def test_wilson_refuses_what_is_no_share(bad: list[float]) -> None:
    with pytest.raises(ValueError, match="0 or 1"):
        wilson(np.array(bad))


@given(st.integers(2, 4), st.integers(2, 30), st.data())
@settings(max_examples=60, deadline=None)
def test_alpha_equals_the_krippendorff_package(raters: int, units: int, data: st.DataObject) -> None:
    rating = st.one_of(st.integers(1, 10).map(float), st.just(float("nan")))
    table = np.array(data.draw(st.lists(st.lists(rating, min_size=units, max_size=units), min_size=raters, max_size=raters)))
    found = krippendorff_alpha(table)
    pairable = table[:, (~np.isnan(table)).sum(0) >= 2]
    values = pairable[~np.isnan(pairable)]
    if values.size < 2 or np.ptp(values) == 0:
        assert found is None
        return
    expected = krippendorff.alpha(reliability_data=table, level_of_measurement="interval")
    assert found == pytest.approx(expected, abs=1e-9)


def test_deviation_of_repeats() -> None:
    # Variances with n - 1: 0.5 and 2 for the pairs, weighted alike; the unit rated once says nothing.
    table = np.array([[5, 8, 3], [6, 6, np.nan]])
    assert within_unit_deviation(table) == pytest.approx(((0.5 + 2) / 2) ** 0.5)
    assert within_unit_deviation(np.array([[1.0, np.nan]])) is None


def test_a_clustered_mean_is_wider_when_clusters_agree() -> None:
    rng = np.random.default_rng(5)
    questions = rng.normal(6, 2, 80)
    values = np.repeat(questions, 2)
    clusters = np.repeat(np.arange(80), 2)
    apart, together = (bootstrap_means(values[None], labels) for labels in (np.arange(160), clusters))
    # Two equal turns carry the information of one question: the interval must be that of 80 values, not of 160.
    expected = stats.bootstrap((questions,), np.mean, n_resamples=20_000, method="percentile", rng=rng).confidence_interval
    assert together.low[0] == pytest.approx(expected.low, abs=0.06) and together.high[0] == pytest.approx(expected.high, abs=0.06)
    assert together.high[0] - together.low[0] > 1.25 * (apart.high[0] - apart.low[0])


def test_unlike_clusters_weigh_by_their_values() -> None:
    found = bootstrap_means(np.array([[1.0, 1, 1, 7]]), np.array([0, 0, 0, 1]))
    assert (found.value[0], found.low[0], found.high[0]) == (2.5, 1.0, 7.0)


def test_the_slope_equals_scipy_and_its_interval_covers() -> None:
    rng = np.random.default_rng(6)
    inside = 0
    for trial in range(200):
        clusters = np.repeat(np.arange(40), 3)
        x = rng.normal(3, 1, 120)
        y = 5 + 0.4 * x + rng.normal(0, 1, 40)[clusters] + rng.normal(0, 0.5, 120)
        found = clustered_slope(x, y, clusters, draws=400, seed=trial)
        assert found is not None
        assert found.value == pytest.approx(stats.linregress(x, y).slope)
        inside += found.low <= 0.4 <= found.high
    assert 0.88 <= inside / 200 <= 0.99
    assert clustered_slope(np.ones(5), np.arange(5), np.arange(5)) is None


def test_a_share_of_none_or_all_lies_in_its_own_interval() -> None:
    """Rounding leaves Wilson's end beside it for 236 values of n, 500 and 1,000 among them."""
    for n in range(1, 2001):
        for right in (0, n):
            found = wilson(np.array([1.0] * right + [0.0] * (n - right)))
            assert found.low <= found.value <= found.high
