"""INCLINE's least squares against LAPACK's, and its choice of a strength."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lensbench.errors import RunError
from lensbench.methods.incline.config import GRID
from lensbench.methods.incline.fit import best_alpha, closeness_curve, solve


def states(rows: int, hidden: int, seed: int, spread: float = 0.0) -> torch.Tensor:
    """Random states; `spread` gives the dimensions unlike scales, as real ones have."""
    g = torch.Generator().manual_seed(seed)
    return torch.randn(rows, hidden, generator=g) * torch.logspace(0, spread, hidden)


def lstsq(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """W of minimum norm by LAPACK's gelsd, with the same cut-off."""
    return torch.linalg.lstsq(
        x.double(), y.double(), rcond=torch.finfo(torch.float32).eps * max(x.shape), driver="gelsd"
    ).solution


def relative(found: torch.Tensor, expected: torch.Tensor) -> float:
    return float((found.double() - expected.double()).norm() / expected.double().norm())


@pytest.mark.parametrize(("n", "hidden"), [(5, 40), (40, 40), (90, 40), (1, 7), (200, 576)])
@pytest.mark.parametrize("spread", [0.0, 2.0])
def test_equals_lstsq(n: int, hidden: int, spread: float) -> None:
    x, y, h = states(n, hidden, 0, spread), states(n, hidden, 1), states(9, hidden, 2, spread)
    found = solve(x, y)
    assert relative(found(h), h.double() @ lstsq(x, y)) < 1e-4
    assert found.basis.shape == found.image.shape == (min(n, hidden), hidden)


@settings(max_examples=40, deadline=None)
@given(n=st.integers(1, 20), hidden=st.integers(1, 20), repeated=st.integers(0, 5), seed=st.integers(0, 999))
def test_equals_lstsq_where_rows_repeat(n: int, hidden: int, repeated: int, seed: int) -> None:
    """Repeated source rows (plain sentences often end alike) make X X^T singular; unlike targets of theirs are averaged."""
    x, y = states(n, hidden, seed), states(n + repeated, hidden, seed + 1)
    x = torch.cat([x, x[torch.arange(repeated) % n]])
    weights = lstsq(x, y)
    # Close to the cut-off neither is right; what is tested is that a null direction is told from a small one.
    singular = torch.linalg.svdvals(x.double())
    if ((singular / singular[0] < 1e-3) & (singular / singular[0] > 1e-12)).any():
        return
    h = states(4, hidden, seed + 2)
    assert torch.allclose(solve(x, y)(h).double(), h.double() @ weights, atol=1e-4 * float((h.double() @ weights).norm() + 1))


def test_equals_the_kernel_form_with_a_ridge() -> None:
    x, y, h = states(12, 30, 0).double(), states(12, 30, 1).double(), states(5, 30, 2)
    kernel = (h.double() @ x.T) @ torch.linalg.solve(x @ x.T + 3.0 * torch.eye(12, dtype=torch.float64), y)
    assert relative(solve(x, y, ridge=3.0)(h), kernel) < 1e-5
    normal = torch.linalg.solve(x.T @ x + 3.0 * torch.eye(30, dtype=torch.float64), x.T @ y)
    assert relative(solve(x, y, ridge=3.0)(h), h.double() @ normal) < 1e-5


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(1, 12))
def test_maps_the_pairs_exactly_and_nothing_outside_them(seed: int, n: int) -> None:
    x, y = states(n, 24, seed), states(n, 24, seed + 1)
    found = solve(x, y)
    assert relative(found(x), y) < 1e-3
    outside = states(1, 24, seed + 2)
    outside = outside - (outside @ found.basis.T) @ found.basis
    assert float(found(outside).norm()) < 1e-3 * float(y.norm())


def test_a_known_map_is_found() -> None:
    g = torch.Generator().manual_seed(3)
    true, x = torch.randn(16, 16, generator=g), torch.randn(100, 16, generator=g)
    h = torch.randn(4, 16, generator=g)
    assert relative(solve(x, x @ true)(h), h @ true) < 1e-4


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (3 * [4 * [1.0]], 2 * [4 * [1.0]], r"\(3, 4\).*\(2, 4\)"),
        (2 * [4 * [float("nan")]], 2 * [4 * [1.0]], "not finite"),
        (2 * [4 * [1.0]], 2 * [4 * [float("inf")]], "not finite"),
        (2 * [4 * [0.0]], 2 * [4 * [1.0]], "all zero"),
    ],
)
def test_what_cannot_be_fitted_is_refused(x: list[list[float]], y: list[list[float]], message: str) -> None:
    with pytest.raises(RunError, match=message):
        solve(torch.tensor(x), torch.tensor(y))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_the_curve_is_the_cosine(seed: int) -> None:
    x, y, m = (states(6, 10, seed + k) for k in range(3))
    curve = closeness_curve(x, y, m, GRID)
    for place, alpha in enumerate(GRID):
        plain = [float((h @ e) / (h.norm() * e.norm())) for h, e in zip(x + alpha * m, y, strict=True)]
        assert float(curve[place]) == pytest.approx(sum(plain) / 6, abs=1e-5)
    torch.testing.assert_close(closeness_curve(3 * x, 5 * y, 3 * m, GRID), curve)


@pytest.mark.parametrize("alpha", [-0.7, 0.0, 0.4, 1.0])
def test_the_strength_that_made_the_gap_is_chosen(alpha: float) -> None:
    x, m = states(8, 10, 0), states(8, 10, 1)
    noise = 0.01 * states(8, 10, 2)
    chosen, curve = best_alpha([closeness_curve(x, x + alpha * m + noise, m, GRID)], GRID)
    assert chosen == alpha and float(curve.max()) == float(curve[GRID.index(alpha)])


def test_of_equal_strengths_the_smallest_is_chosen() -> None:
    x, y = states(3, 4, 0), states(3, 4, 1)
    assert best_alpha([closeness_curve(x, y, torch.zeros_like(x), GRID)], GRID)[0] == 0.0


def test_the_grid_is_the_papers() -> None:
    assert len(GRID) == 21 and GRID[0] == -1 and GRID[-1] == 1 and {-0.3, -0.2, 0.0} <= set(GRID)
