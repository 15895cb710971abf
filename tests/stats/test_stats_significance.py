"""p-values and detectable effects against statsmodels, scipy and simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import NormalIndPower
from statsmodels.stats.proportion import proportion_confint

from lensbench.stats import detectable_mean, detectable_share, holm, mcnemar_exact, sign_flip, wilson


@given(st.integers(0, 400), st.integers(0, 400))
@settings(max_examples=150, deadline=None)
def test_mcnemar_equals_statsmodels(wins: int, losses: int) -> None:
    expected = mcnemar([[7, wins], [losses, 5]], exact=True).pvalue if wins + losses else 1.0
    assert mcnemar_exact(wins, losses) == pytest.approx(expected, rel=1e-9)
    assert mcnemar_exact(wins, losses) == mcnemar_exact(losses, wins)


def test_mcnemar_of_very_many_items() -> None:
    assert mcnemar_exact(7200, 7000) == pytest.approx(stats.binomtest(7000, 14200).pvalue, rel=1e-6)
    assert 0 <= mcnemar_exact(6000, 20) < 1e-300
    with pytest.raises(ValueError, match="numbers of items"):
        mcnemar_exact(-1, 2)


@given(st.integers(1, 300), st.data())
@settings(max_examples=40, deadline=None)
def test_wilson_equals_statsmodels(n: int, data: st.DataObject) -> None:
    right = data.draw(st.integers(0, n))
    low, high = proportion_confint(right, n, method="wilson")
    found = wilson(np.array([1] * right + [0] * (n - right)))
    assert (found.low, found.high) == (pytest.approx(low, abs=1e-12), pytest.approx(high, abs=1e-12))


@given(st.lists(st.one_of(st.floats(0, 1), st.just(float("nan"))), max_size=30))
@settings(max_examples=25, deadline=None)
def test_holm_equals_statsmodels(values: list[float]) -> None:
    p_values = np.array(values)
    found = holm(p_values)
    tested = ~np.isnan(p_values)
    assert (np.isnan(found) == ~tested).all()
    if tested.any():
        assert found[tested] == pytest.approx(multipletests(p_values[tested], method="holm")[1], abs=1e-12)


# Whole numbers: their sums are exact, so that scipy too sees which patterns are equally large.
@given(st.lists(st.integers(-500, 500), min_size=2, max_size=9))
@settings(max_examples=30, deadline=None)
def test_all_sign_patterns_equal_scipy(differences: list[int]) -> None:
    values = np.array(differences, dtype=float)
    expected = stats.permutation_test(
        (values,),
        lambda x, axis: np.abs(np.mean(x, axis=axis)),
        permutation_type="samples",
        alternative="greater",
        n_resamples=np.inf,
        vectorized=True,
    ).pvalue
    assert sign_flip(values[None], np.arange(len(values)))[0] == pytest.approx(expected)


@given(st.integers(0, 9), st.integers(0, 4), st.integers(0, 20))
@settings(max_examples=40, deadline=None)
def test_on_right_and_wrong_a_sign_flip_is_mcnemars_test(wins: int, losses: int, ties: int) -> None:
    differences = np.array([1.0] * wins + [-1.0] * losses + [0.0] * (ties + 1))
    # 2^13 patterns are all tried.
    assert sign_flip(differences[None], np.arange(len(differences)))[0] == pytest.approx(mcnemar_exact(wins, losses))


def test_random_sign_patterns_come_near_the_exact_value() -> None:
    rng = np.random.default_rng(2)
    wins, losses = 60, 38
    binary = np.array([1.0] * wins + [-1.0] * losses + [0.0] * 300)
    ratings = np.round(rng.normal(0.35, 2, 160))
    found = sign_flip(np.stack([binary, np.pad(ratings, (0, 238))]), np.arange(398), draws=40_000)
    expected = stats.permutation_test(
        (ratings,),
        lambda x, axis: np.abs(np.mean(x, axis=axis)),
        permutation_type="samples",
        alternative="greater",
        n_resamples=40_000,
        vectorized=True,
        rng=np.random.default_rng(3),
    ).pvalue
    # Standard error of a p-value near 0.03 from 40,000 draws: 0.0009.
    assert found[0] == pytest.approx(mcnemar_exact(wins, losses), abs=0.004)
    assert found[1] == pytest.approx(expected, abs=0.01)
    assert (found > 0).all()


def test_signs_are_flipped_for_whole_clusters() -> None:
    # Three questions of 20 gradings each, all better: three coins, of which all heads or all tails are as extreme.
    assert sign_flip(np.ones((1, 60)), np.repeat([0, 1, 2], 20))[0] == 2 / 8


def test_no_more_than_five_in_a_hundred_true_nulls_are_called() -> None:
    rng = np.random.default_rng(4)
    clusters = np.repeat(np.arange(60), 3)
    calls = {"clustered": 0, "apart": 0}
    for trial in range(400):
        difference = rng.normal(0, 1, 60)[clusters] + rng.normal(0, 0.5, 180)
        calls["clustered"] += sign_flip(difference[None], clusters, draws=800, seed=trial)[0] < 0.05
        calls["apart"] += sign_flip(difference[None], np.arange(180), draws=800, seed=trial)[0] < 0.05
    assert calls["clustered"] / 400 < 0.08
    assert calls["apart"] / 400 > 0.12, "clusters that do not matter would test nothing"


# --- smallest detectable effects


def test_the_published_examples() -> None:
    # Two-sided 5%, power 80%, 5% of the items discordant: 2.8 points with 500 items, 2.0 with 1,000.
    assert 100 * detectable_share(500, 0.05) == pytest.approx(2.8, abs=0.05)
    assert 100 * detectable_share(1000, 0.05) == pytest.approx(2.0, abs=0.05)


@given(st.integers(20, 5000), st.floats(0.01, 3), st.integers(1, 40))
@settings(max_examples=40, deadline=None)
def test_of_a_mean_equals_statsmodels(n: int, deviation: float, tests: int) -> None:
    # With ratio 0 the one-sample test; its power also counts the wrong tail, which is nothing here.
    effect = NormalIndPower().solve_power(nobs1=n, alpha=0.05 / tests, power=0.8, ratio=0, alternative="two-sided")
    assert detectable_mean(deviation / n**0.5, tests=tests) == pytest.approx(effect * deviation, rel=1e-3)


@pytest.mark.parametrize(("items", "differing", "tests"), [(500, 0.1, 1), (1000, 0.2, 10), (300, 0.05, 1), (2000, 0.3, 35)])
def test_four_cases_of_five_are_found(items: int, differing: float, tests: int) -> None:
    effect = detectable_share(items, differing, tests=tests)
    assert effect is not None
    share = max(differing, effect)
    rng = np.random.default_rng(items)
    drawn = rng.multinomial(items, [(share + effect) / 2, (share - effect) / 2, 1 - share], size=4000)
    found = sum(mcnemar_exact(wins, losses) < 0.05 / tests for wins, losses in drawn[:, :2].tolist())
    # The exact test keeps a little below its 5%, so it finds a little less than the approximation says.
    assert 0.72 <= found / 4000 <= 0.84


def test_a_mean_is_found_in_four_cases_of_five() -> None:
    rng = np.random.default_rng(9)
    effect = detectable_mean(2 / 80**0.5)
    found = sum(sign_flip(rng.normal(effect, 2, 80)[None], np.arange(80), draws=600, seed=i)[0] < 0.05 for i in range(600))
    assert found / 600 == pytest.approx(0.8, abs=0.05)


def test_where_nothing_differed_something_is_still_known() -> None:
    # No pair differed: with 24 items even a variant that only wins needs many wins.
    effect = detectable_share(24, 0.0)
    wins = round(24 * effect)
    assert mcnemar_exact(wins, 0) < 0.05 and 0.2 < effect < 0.4
    assert detectable_share(3, 0.0) is None and detectable_share(0, 0.5) is None
    assert detectable_mean(0.0) is None and detectable_mean(float("nan")) is None


def test_weights_of_cells_count_in_the_test() -> None:
    rng = np.random.default_rng(12)
    cells = np.repeat([0, 1], [20, 60])
    differences = np.where(cells == 0, rng.normal(0.8, 1, 80), rng.normal(-0.3, 1, 80))
    weights = np.array([0.9, 0.1])
    parts = np.where(cells == 0, differences / 20 * 0.9, differences / 60 * 0.1)
    flipped = np.abs(np.where(rng.random((20_000, 80)) < 0.5, -1, 1) @ parts)
    found = sign_flip(differences[None], np.arange(80), cells=cells, weights=weights)[0]
    assert found == pytest.approx(np.mean(flipped >= abs(parts.sum())), abs=0.01)
    alike = sign_flip(differences[None], np.arange(80), cells=cells)[0]
    assert abs(alike - found) > 0.03, "weights that do not matter would test nothing"


def test_no_p_value_is_zero() -> None:
    # The observed signs are one of the patterns.
    assert sign_flip(np.ones((1, 200)), np.arange(200), draws=999)[0] == 1 / 1000
