"""Algorithm 1: the invariants of the paper, against closed forms computed another way."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lensbench import errors
from lensbench.errors import UsageError
from lensbench.methods.lens import decompose


def means(count: int, hidden: int, seed: int = 0, common: float = 5.0) -> torch.Tensor:
    """Language means as they really look: a large common part and smaller differences."""
    generator = torch.Generator().manual_seed(seed)
    centre = common * torch.randn(hidden, generator=generator, dtype=torch.float64)
    return centre + torch.randn(count, hidden, generator=generator, dtype=torch.float64)


def foot_of_perpendicular(matrix: np.ndarray) -> np.ndarray:
    """The point of the means' affine hull nearest to the origin, from the normal equations (not from an SVD)."""
    gram = matrix @ matrix.T
    weights = np.linalg.solve(gram, np.ones(len(matrix)))
    return (weights / weights.sum()) @ matrix


sizes = st.tuples(st.integers(2, 7), st.integers(8, 40), st.integers(0, 10_000))


@given(sizes)
@settings(max_examples=60, deadline=None)
def test_shapes_and_orthogonality(size: tuple[int, int, int]) -> None:
    count, hidden, seed = size
    m = means(count, hidden, seed)
    found = decompose(m)
    assert found.agnostic.shape == (hidden,)
    assert found.specific.shape == (hidden, count - 1)
    assert found.directions.shape == (count - 1, hidden)
    torch.testing.assert_close(found.agnostic.norm(), torch.tensor(1.0, dtype=torch.float64))
    torch.testing.assert_close(found.specific.T @ found.specific, torch.eye(count - 1, dtype=torch.float64), atol=1e-9, rtol=0)
    assert (found.specific.T @ found.agnostic).abs().max() < 1e-8


@given(sizes)
@settings(max_examples=60, deadline=None)
def test_full_rank_closed_forms(size: tuple[int, int, int]) -> None:
    count, hidden, seed = size
    m = means(count, hidden, seed)
    found = decompose(m)
    # Every mean has the same coordinate along the agnostic direction, |m_a|.
    coordinates = m @ found.agnostic
    torch.testing.assert_close(coordinates, torch.full_like(coordinates, found.agnostic_norm), atol=1e-7, rtol=1e-7)
    # At r = L - 1 the projection in eq. 3 is a no-op: delta_l = m_l - m_c.
    torch.testing.assert_close(found.directions, m[1:] - m[:1], atol=1e-7, rtol=1e-7)
    foot = foot_of_perpendicular(m.numpy())
    np.testing.assert_allclose(found.agnostic.numpy() * found.agnostic_norm, foot, atol=1e-6)


@given(sizes)
@settings(max_examples=30, deadline=None)
def test_projectors_are_idempotent_and_symmetric(size: tuple[int, int, int]) -> None:
    found = decompose(means(*size))
    for basis in (found.specific, found.agnostic[:, None]):
        projector = basis @ basis.T
        torch.testing.assert_close(projector @ projector, projector, atol=1e-9, rtol=0)
        torch.testing.assert_close(projector, projector.T)


@given(sizes, st.permutations([0, 1, 2, 3, 4, 5]))
@settings(max_examples=30, deadline=None)
def test_target_order_does_not_matter(size: tuple[int, int, int], order: list[int]) -> None:
    count, hidden, seed = size
    m = means(count, hidden, seed)
    order = [i for i in order if i < count - 1]
    one, other = decompose(m), decompose(torch.cat([m[:1], m[1:][order]]))
    torch.testing.assert_close(one.agnostic, other.agnostic, atol=1e-8, rtol=0)
    torch.testing.assert_close(one.specific @ one.specific.T, other.specific @ other.specific.T, atol=1e-8, rtol=0)
    torch.testing.assert_close(one.directions[order], other.directions, atol=1e-8, rtol=0)


@given(sizes, st.integers(0, 100))
@settings(max_examples=30, deadline=None)
def test_a_constant_added_to_all_means_leaves_the_specific_span(size: tuple[int, int, int], seed: int) -> None:
    m = means(*size)
    shift = torch.randn(m.shape[1], generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    one, other = decompose(m), decompose(m + shift)
    torch.testing.assert_close(one.specific @ one.specific.T, other.specific @ other.specific.T, atol=1e-7, rtol=0)


def test_two_languages_by_hand() -> None:
    # m_c = (3, 4, 0), m_zh = (3, 0, 0): they differ along y, and share x = 3.
    found = decompose([[3.0, 4.0, 0.0], [3.0, 0.0, 0.0]])
    torch.testing.assert_close(found.agnostic.abs(), torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64), atol=1e-12, rtol=0)
    assert found.agnostic_norm == pytest.approx(3.0)
    torch.testing.assert_close(found.specific.abs()[:, 0], torch.tensor([0.0, 1.0, 0.0], dtype=torch.float64), atol=1e-12, rtol=0)
    torch.testing.assert_close(found.directions, torch.tensor([[0.0, -4.0, 0.0]], dtype=torch.float64), atol=1e-12, rtol=0)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_lower_rank_keeps_the_leading_span(rank: int) -> None:
    m = means(5, 24, seed=3)
    found = decompose(m, rank)
    assert found.specific.shape == (24, rank)
    assert (found.specific.T @ found.agnostic).abs().max() < 1e-8
    # The specific subspace is that of the centred means' leading left singular vectors: the best rank-r fit of their spread.
    centred = (m - m.mean(0)).numpy().T
    left = np.linalg.svd(centred, full_matrices=False)[0][:, :rank]
    np.testing.assert_allclose(found.specific.numpy() @ found.specific.numpy().T, left @ left.T, atol=1e-8)


def test_float32_and_numpy_input() -> None:
    m = means(3, 12)
    torch.testing.assert_close(decompose(m.numpy()).specific, decompose(m).specific)
    assert decompose(m.float()).agnostic.dtype == torch.float64


@pytest.mark.parametrize("rank", [0, 3, 7, -1])
def test_rank_out_of_range(rank: int) -> None:
    with pytest.raises(UsageError, match="from 1 to 2"):
        decompose(means(3, 12), rank)


@pytest.mark.parametrize(
    ("bad", "kind"),
    [
        (lambda: torch.ones(1, 8), "UsageError"),
        (lambda: torch.randn(9, 8), "UsageError"),
        (lambda: torch.ones(3, 8), "RunError"),
        (lambda: torch.stack([torch.arange(8.0), 2 * torch.arange(8.0)]), "RunError"),
        (lambda: torch.tensor([[1.0, 2.0, float("nan")], [1.0, 0.0, 0.0]]), "RunError"),
        (lambda: torch.cat([means(2, 8), means(2, 8)[1:]]), "RunError"),
    ],
    ids=["one language", "more languages than dimensions", "equal means", "through the origin", "nan", "a language twice"],
)
def test_degenerate_means_are_refused(bad: Callable[[], torch.Tensor], kind: str) -> None:
    with pytest.raises(getattr(errors, kind)):
        decompose(bad())
