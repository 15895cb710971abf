"""Intervals of levels and differences: against closed forms and slow loops, their symmetries, and where they have no ends."""

from __future__ import annotations

import time

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from lensbench.stats import level_intervals, paired_intervals
from lensbench.stats.spread import spread
from lensbench.stats.student import student_quantile


def test_student_quantiles_equal_scipy() -> None:
    freedom = np.array([1, 1.3, 2, 3.7, 5, 10, 50.5, 1000, 1e5, 1e7])
    for share in (0.6, 0.9, 0.975, 0.995):
        assert student_quantile(freedom, share) == pytest.approx(stats.t.ppf(share, freedom), rel=1e-6)
    with pytest.raises(ValueError, match="freedom"):
        student_quantile(0.5)
    with pytest.raises(ValueError, match="share"):
        student_quantile(3, 0.5)


# --- the same numbers in other ways


def test_unclustered_shares_have_wilsons_interval() -> None:
    rng = np.random.default_rng(0)
    for n in (2, 24, 500):
        scores = (rng.random((4, n)) < 0.7).astype(float)
        scores[3] = 1
        found = level_intervals(scores, np.arange(n), binary=True)
        for row in range(4):
            expected = stats.binomtest(int(scores[row].sum()), n).proportion_ci(0.95, method="wilson")
            assert (found.low[row], found.high[row]) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_unclustered_pairs_have_tangos_interval() -> None:
    """Published for 1 won and 7 lost of 21 pairs (Fagerland, Lydersen and Laake 2014): -0.517 to -0.026."""
    differences = np.zeros((1, 21))
    differences[0, :8] = [1] + [-1] * 7
    found = paired_intervals(differences, np.arange(21), binary=True)
    assert (found.low[0], found.high[0]) == pytest.approx((-0.517, -0.026), abs=5e-4)
    # Unpaired items are as if they were not there.
    more = np.concatenate([differences, np.full((1, 9), np.nan)], axis=1)
    again = paired_intervals(more, np.arange(30), binary=True)
    assert (again.low[0], again.high[0]) == pytest.approx((found.low[0], found.high[0]), abs=1e-12)


def test_the_clustered_variance_equals_statsmodels() -> None:
    """One cell and clusters of one size: CR2 is the usual sandwich times clusters / (clusters - 1)."""
    rng = np.random.default_rng(1)
    label = np.repeat(np.arange(30), 3)
    values = rng.normal(0, 1, 30)[label] + rng.normal(0, 1, 90)
    fit = sm.OLS(values, np.ones(90)).fit(cov_type="cluster", cov_kwds={"groups": label, "use_correction": False})
    found = spread(values[None], label)
    assert found.together[0] == pytest.approx(fit.bse[0] ** 2 * 30 / 29)
    assert found.freedom[0] == pytest.approx(29) and found.kish[0] == pytest.approx(30)


def slow_cr2(values: NDArray, label: NDArray, cells: NDArray, weights: NDArray) -> float:
    """CR2 from its definition: residuals of each cluster times the inverse root of its block of I - H."""
    x = np.eye(len(weights))[cells]
    bread = np.linalg.inv(x.T @ x)
    residuals = values - x @ (bread @ x.T @ values)
    meat = np.zeros((len(weights), len(weights)))
    for name in np.unique(label):
        own = label == name
        size, vectors = np.linalg.eigh(np.eye(own.sum()) - x[own] @ bread @ x[own].T)
        scores = x[own].T @ (vectors @ np.diag(size**-0.5) @ vectors.T) @ residuals[own]
        meat += np.outer(scores, scores)
    return float(weights @ bread @ meat @ bread @ weights)


def test_the_variance_of_an_average_is_cr2() -> None:
    rng = np.random.default_rng(2)
    label = np.concatenate([np.arange(12), np.arange(12), np.arange(3, 9), np.repeat(np.arange(20, 26), 2)])
    cells = np.repeat([0, 1, 2, 3], [12, 12, 6, 12])
    weights = np.array([0.4, 0.1, 0.2, 0.3])
    values = rng.normal(0, 1, 30)[label] + rng.normal(0, 1, len(label))
    assert spread(values[None], label, cells, weights).together[0] == pytest.approx(slow_cr2(values, label, cells, weights))


def test_many_graded_differences_have_the_t_interval() -> None:
    values = np.random.default_rng(3).normal(0.2, 1, 4000)
    found = paired_intervals(values[None], np.arange(4000), binary=False)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert (found.low[0], found.high[0]) == pytest.approx((expected.low, expected.high), abs=0.001)
    assert found.low[0] <= expected.low + 1e-9 and expected.high - 1e-9 <= found.high[0]


# --- clusters


def test_equal_languages_are_worth_one() -> None:
    """The same right and wrong answers in six languages say what they say in one."""
    rng = np.random.default_rng(4)
    scores = (rng.random((3, 200)) < 0.6).astype(float)
    label, cells = np.tile(np.arange(200), 6), np.repeat(np.arange(6), 200)
    six = level_intervals(np.tile(scores, 6), label, cells=cells, binary=True)
    one = level_intervals(scores, np.arange(200), binary=True)
    assert six.high - six.low == pytest.approx(one.high - one.low, rel=0.02)
    assert (six.high - six.low >= one.high - one.low).all()


def test_constant_clusters_have_a_width() -> None:
    """32 items in 16 clusters with one right each: at best 32 independent items, at worst 16."""
    found = level_intervals(np.tile([0.0, 1.0], (1, 16)), np.repeat(np.arange(16), 2), binary=True)
    best, worst = (stats.binomtest(n // 2, n).proportion_ci(0.95, method="wilson") for n in (32, 16))
    assert worst.low <= found.low[0] <= best.low and best.high <= found.high[0] <= worst.high


def test_nothing_differs_in_clusters() -> None:
    """The end is that of as many pairs as there are clusters, or somewhat wider; not that of all the items."""
    found = paired_intervals(np.zeros((1, 96)), np.tile(np.arange(24), 4), cells=np.repeat(np.arange(4), 24), binary=True)
    z2 = stats.norm.ppf(0.975) ** 2
    assert z2 / (24 + z2) <= found.high[0] <= 1.15 * z2 / (24 + z2)
    assert found.low[0] == -found.high[0]


# --- where there is no interval


def test_meaningless_intervals_have_no_ends() -> None:
    label = np.arange(20)
    for values, binary, clusters in (
        (np.zeros(20), False, label),
        (np.full(20, 2.0), False, label),
        (np.ones(20), True, np.zeros(20)),
        (np.full(20, np.nan), True, label),
    ):
        for function in (paired_intervals, level_intervals):
            found = function(values[None], clusters, binary=binary)
            assert np.isnan([found.low[0], found.high[0]]).all()
            assert found.value[0] == pytest.approx(np.mean(values), nan_ok=True)
    with pytest.raises(ValueError, match=r"found 0\.5"):
        level_intervals(np.array([[0, 1, 0.5]]), np.arange(3), binary=True)
    with pytest.raises(ValueError, match="found 2"):
        paired_intervals(np.array([[0, -1, 2.0]]), np.arange(3), binary=True)


def test_columns_do_not_touch_each_other() -> None:
    rng = np.random.default_rng(5)
    label, cells = np.tile(np.arange(30), 2), np.repeat([0, 1], 30)
    columns = np.stack([rng.integers(-1, 2, 60), rng.normal(0, 1, 60), np.full(60, np.nan), np.zeros(60)])
    kinds = np.array([True, False, False, True])
    together = paired_intervals(columns, label, cells=cells, binary=kinds)
    for row in range(4):
        alone = paired_intervals(columns[[row]], label, cells=cells, binary=bool(kinds[row]))
        for name in ("value", "low", "high", "clusters"):
            assert getattr(together, name)[row] == pytest.approx(getattr(alone, name)[0], nan_ok=True)


# --- symmetries


@st.composite
def tables(draw: st.DrawFn) -> tuple[NDArray, NDArray, NDArray, NDArray, bool]:
    """Scores of a variant and of base, clusters, cells and weights, binary or graded, with gaps."""
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    n, of_cells, binary = draw(st.integers(2, 60)), draw(st.integers(1, 4)), draw(st.booleans())
    top = 2 if binary else draw(st.sampled_from([3, 10, 1000]))
    base = rng.integers(0, top, n).astype(float)
    variant = np.where(rng.random(n) < draw(st.sampled_from([0.02, 0.2, 1.0])), rng.integers(0, top, n), base)
    variant[rng.random(n) < draw(st.sampled_from([0, 0, 0.3]))] = np.nan
    label = rng.integers(0, draw(st.integers(1, n)), n)
    cells = np.concatenate([np.arange(min(of_cells, n)), rng.integers(0, of_cells, max(n - of_cells, 0))])
    return np.stack([variant, base]), label, cells, rng.random(of_cells) + 0.1, binary


@given(tables())
@settings(max_examples=150, deadline=None)
def test_an_interval_holds_its_value_and_has_two_sides(table: tuple[NDArray, NDArray, NDArray, NDArray, bool]) -> None:
    scores, label, cells, weights, binary = table
    difference = (scores[0] - scores[1])[None]
    given_ = {"cells": cells, "weights": weights, "binary": binary}
    found, turned = paired_intervals(difference, label, **given_), paired_intervals(-difference, label, **given_)
    assert (found.low[0], found.high[0]) == pytest.approx((-turned.high[0], -turned.low[0]), nan_ok=True, abs=1e-9)
    order = np.random.default_rng(0).permutation(len(label))
    mixed = paired_intervals(difference[:, order], label[order], cells=cells[order], weights=weights, binary=binary)
    assert (found.low[0], found.high[0]) == pytest.approx((mixed.low[0], mixed.high[0]), nan_ok=True, abs=1e-9)
    level = level_intervals(scores, label, **given_)
    for one in (found, level):
        known = ~np.isnan(one.low)
        assert (known == ~np.isnan(one.high)).all()
        assert (one.low[known] <= one.value[known] + 1e-12).all() and (one.value[known] <= one.high[known] + 1e-12).all()
        assert np.isfinite(one.high[known]).all() and np.isfinite(one.low[known]).all()
        if binary:
            assert (known == ((one.clusters >= 2) & ~np.isnan(one.value))).all()
            assert (np.abs(one.low[known]) <= 1).all() and (np.abs(one.high[known]) <= 1).all()
            assert (one.low[known] < one.high[known]).all()
    if binary:
        wrong = level_intervals(1 - scores, label, **given_)
        assert level.low == pytest.approx(1 - wrong.high, nan_ok=True, abs=1e-9)


# --- speed


def test_a_large_table_takes_seconds() -> None:
    rng = np.random.default_rng(6)
    scores, label = rng.integers(0, 2, (8, 5000)).astype(float), np.arange(5000)
    started = time.process_time()
    for _ in range(35):
        paired_intervals(scores - scores[0], label, binary=True)
        level_intervals(scores, label, binary=True)
    six = np.tile(scores, 30)
    paired_intervals(six - six[0], np.tile(label, 30), cells=np.repeat(np.arange(30), 5000), binary=True)
    # Under 2 s on a quiet core.
    assert time.process_time() - started < 8
