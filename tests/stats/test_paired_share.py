"""Tango's interval of a paired difference of shares: against a slow inversion of the score test, and its coverage."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq, minimize_scalar
from scipy.stats import multinomial

from lensbench.stats.intervals import Z95
from lensbench.stats.paired_share import none_differ_limit, tango, tango_ends


def inverted(wins: int, losses: int, n: int) -> tuple[float, float]:
    """The same from the likelihood itself, which is maximised numerically under every true difference."""

    def statistic(true: float) -> float:
        def minus_log_likelihood(q: float) -> float:
            parts = ((wins, q + true), (losses, q), (n - wins - losses, 1 - 2 * q - true))
            return -sum(count * np.log(share) for count, share in parts if count)

        lowest, highest = max(0.0, -true) + 1e-13, (1 - true) / 2 - 1e-13
        q = minimize_scalar(minus_log_likelihood, bounds=(lowest, highest), method="bounded", options={"xatol": 1e-13}).x
        return float((wins - losses - n * true) / np.sqrt(n * (2 * q + true * (1 - true))))

    value = (wins - losses) / n
    return (
        brentq(lambda true: statistic(true) - Z95, -1 + 1e-9, value),
        brentq(lambda true: statistic(true) + Z95, value, 1 - 1e-9),
    )


@pytest.mark.parametrize(
    ("wins", "losses", "n"), [(5, 21, 100), (0, 0, 24), (3, 0, 24), (0, 4, 40), (12, 2, 50), (1, 1, 16), (43, 0, 44), (8, 8, 16)]
)
def test_the_score_test_inverted(wins: int, losses: int, n: int) -> None:
    found = tango(wins, losses, n)
    assert (found.low, found.high) == pytest.approx(inverted(wins, losses, n), abs=2e-4)


def test_nothing_differs() -> None:
    """Without a differing item the ends are z^2 / (n + z^2), which solves the score equation by hand."""
    for n in (1, 24, 500):
        found = tango(0, 0, n)
        assert found.high == pytest.approx(Z95**2 / (n + Z95**2), rel=1e-9)
        assert found.low == -found.high
        assert none_differ_limit(n) == pytest.approx(found.high, rel=1e-9)
    with pytest.raises(ValueError, match="0 items"):
        none_differ_limit(0)


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 200))
@settings(max_examples=200, deadline=None)
def test_order_and_symmetry(wins: int, losses: int, agreeing: int) -> None:
    n = wins + losses + agreeing
    if not n:
        with pytest.raises(ValueError, match="0 items"):
            tango(wins, losses, n)
        return
    found, turned = tango(wins, losses, n), tango(losses, wins, n)
    assert -1 <= found.low <= found.value <= found.high <= 1
    assert (found.low, found.high) == pytest.approx((-turned.high, -turned.low), abs=1e-12)


@pytest.mark.parametrize("n", [16, 24, 40, 80, 200, 1000])
@pytest.mark.parametrize("differing", [0.01, 0.05, 0.1, 0.3])
@pytest.mark.parametrize("won", [0.5, 0.8])
def test_coverage(n: int, differing: float, won: float) -> None:
    """Exact, from the multinomial: at least 93%, and at most 98% where four items or more are expected to differ.

    With fewer, an interval of counts cannot be as short.
    """
    shares = np.array([differing * won, differing * (1 - won), 1 - differing])
    true = differing * (2 * won - 1)
    most = int(n * differing + 8 * (n * differing) ** 0.5) + 8
    wins, losses = np.indices((most, most)).reshape(2, -1)
    possible = wins + losses <= n
    counts = np.stack([wins, losses, n - wins - losses], axis=1)[possible]
    probability = multinomial.pmf(counts, n, shares)
    likely = probability > 1e-9
    counts, probability = counts[likely], probability[likely]
    low, high = tango_ends(counts[:, 0], counts[:, 1], n)
    coverage = float(probability @ ((low <= true) & (true <= high)))
    assert coverage >= 0.93
    if n * differing >= 4:
        assert coverage <= 0.98
