"""Least squares from source states to central states, and the choice of a strength: arrays in, arrays out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from lensbench.errors import RunError

__all__ = ["Alignment", "best_alpha", "closeness_curve", "solve"]


@dataclass(frozen=True)
class Alignment:
    """The map W of one layer, hidden x hidden, as two thin factors.

    With X = U S V^T, the kernel form h W = (h X^T) (X X^T + ridge I)^+ Y is (h V) (S / (S^2 + ridge)) U^T Y. V^T and the
    rest are kept in place of X and (X X^T + ridge I)^+ Y: the product is the same, but rounding grows with the condition of X
    instead of its square.
    """

    basis: Float[Tensor, "rank hidden"]
    """V^T: orthonormal rows that span the source states."""
    image: Float[Tensor, "rank hidden"]

    def __call__(self, states: Float[Tensor, "rows hidden"]) -> Float[Tensor, "rows hidden"]:
        """h W of every row, in the dtype of the factors."""
        return (states.to(self.basis.dtype) @ self.basis.T) @ self.image


def solve(
    source: Float[Tensor, "pairs hidden"],
    target: Float[Tensor, "pairs hidden"],
    *,
    ridge: float = 0.0,
    cutoff: float | None = None,
) -> Alignment:
    """W of the smallest norm among those that minimise |X W - Y|^2 + ridge |W|^2 (paper section 3; no bias).

    Computed in fp64 through the pairs x pairs matrix X X^T, so that nothing of hidden x hidden is ever made; kept in fp32.

    Args:
        cutoff: Directions whose singular value is at most this share of the largest count as null; by default what fp32 states
            can tell, fp32 epsilon times the larger side of X (the rule of numpy and LAPACK).

    Raises:
        RunError: unlike shapes, or states that are not finite or all zero.
    """
    if source.shape != target.shape or source.ndim != 2:
        raise RunError(f"states of {tuple(source.shape)} cannot be aligned with states of {tuple(target.shape)}")
    x, y = source.double(), target.double()
    if not (x.isfinite().all() and y.isfinite().all()):
        raise RunError("the backbone's states are not finite, so no map can be fitted to them", "Try ``dtype=float32``.")
    if cutoff is None:
        cutoff = torch.finfo(torch.float32).eps * max(x.shape)
    eigenvalues, vectors = torch.linalg.eigh(x @ x.T)
    singular = eigenvalues.clamp(min=0).sqrt()
    kept = singular > cutoff * singular.max()
    if not kept.any():
        raise RunError("the backbone's states are all zero, so no map can be fitted to them")
    singular, vectors = singular[kept], vectors[:, kept]
    basis = (vectors / singular).T @ x
    image = (singular / (singular.square() + ridge))[:, None] * (vectors.T @ y)
    return Alignment(basis.float(), image.float())


def closeness_curve(
    source: Float[Tensor, "pairs hidden"],
    target: Float[Tensor, "pairs hidden"],
    mapped: Float[Tensor, "pairs hidden"],
    grid: Sequence[float],
) -> Float[Tensor, " grid"]:
    """Mean cosine similarity over pairs of source + alpha * mapped with target.

    Lengths are left out because the norm in front of the next module takes them out too; in plain distance, maps of high variance
    (about as many pairs as dimensions) make every strength but 0 look bad.
    """
    x, y, step = source.double(), target.double(), mapped.double()
    return torch.stack([torch.cosine_similarity(x + alpha * step, y, dim=-1).mean() for alpha in grid])


def best_alpha(curves: Sequence[Float[Tensor, " grid"]], grid: Sequence[float]) -> tuple[float, Float[Tensor, " grid"]]:
    """The strength of the greatest closeness, every layer counting alike, and the curve it was read from.

    Of equal ones the smallest in size is taken.
    """
    curve = torch.stack(list(curves)).mean(0)
    order = sorted(range(len(grid)), key=lambda k: (-float(curve[k]), abs(grid[k])))
    return grid[order[0]], curve
