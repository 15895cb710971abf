"""Algorithm 1 of the LENS paper: one agnostic direction and a specific subspace from the languages' mean states."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from lensbench.errors import RunError, UsageError

__all__ = ["Subspaces", "decompose"]

_DEGENERATE = 1e-6
"""A kept singular value below this share of the largest means that the means do not span the asked rank."""


@dataclass(frozen=True)
class Subspaces:
    """Result of Algorithm 1 in one layer, in float64."""

    agnostic: Float[Tensor, hidden]
    """[M_a / |M_a|] Unit vector; every language mean has the same coordinate along it."""
    specific: Float[Tensor, "hidden rank"]
    """[M_s] Orthonormal columns, orthogonal to `agnostic`."""
    directions: Float[Tensor, "targets hidden"]
    """[delta_l] Target mean minus central mean, inside the specific subspace; one row per target language."""
    agnostic_norm: float
    """|m_a|: the common coordinate of all means along `agnostic`."""


def decompose(means: Float[Tensor, "languages hidden"] | Any, rank: int | None = None) -> Subspaces:
    """Split the space of language means (Algorithm 1; Xie et al. 2022).

    Args:
        means: Mean hidden state per language, the central language first: `[languages, hidden]`.
        rank: r, from 1 to languages - 1; None takes languages - 1, as the paper does.

    Returns:
        The unit agnostic direction `[hidden]`, orthonormal specific columns `[hidden, rank]` and the directions
        `[languages - 1, hidden]`, all float64 on the CPU.

    Raises:
        UsageError: fewer than two languages, more languages than dimensions, or a rank out of range.
        RunError: means that are not finite, or collinear: equal languages, or an affine hull through the origin.
    """
    matrix = np.asarray(torch.as_tensor(means).detach().cpu().to(torch.float64)).T  # [hidden, languages]
    if matrix.ndim != 2:
        raise UsageError(f"means must be [languages, hidden], found {matrix.ndim} dimensions")
    hidden, count = matrix.shape
    if count < 2:
        raise UsageError(f"LENS needs at least two languages, found {count}", "Name a target language too.")
    if count > hidden:
        raise UsageError(f"{count} languages do not fit into {hidden} dimensions")
    rank = count - 1 if rank is None else rank
    if not 1 <= rank <= count - 1:
        raise UsageError(f"rank {rank} is out of range: with {count} languages it must be from 1 to {count - 1}")
    if not np.isfinite(matrix).all():
        raise RunError("language means hold values that are not finite")

    # Line 1: the paper prints 1/d, both code bases divide by the number of languages.
    centre = matrix.mean(axis=1, keepdims=True)
    left, values, right = np.linalg.svd(matrix - centre, full_matrices=False)
    _check_spread(values, rank, float(np.linalg.norm(matrix)))
    low_rank = centre + (left[:, :rank] * values[:rank]) @ right[:rank]  # line 2: M'

    # Line 3: m_a = v / |v|^2 with v = (M'^+)^T 1. M' has rank r + 1 by construction; smaller singular values are rounding.
    u, s, vt = np.linalg.svd(low_rank, full_matrices=False)
    if s[rank] <= _DEGENERATE * s[0]:
        raise RunError(
            "the language means are collinear with the origin: no direction is common to all of them",
            "Use different probing texts or another layer.",
        )
    pseudo = u[:, : rank + 1] @ ((vt[: rank + 1].sum(axis=1)) / s[: rank + 1])
    common = pseudo / (pseudo @ pseudo)

    # Line 4: the specific subspace is what is left once the common part is gone.
    specific, spread, _ = np.linalg.svd(low_rank - common[:, None], full_matrices=False)
    _check_spread(spread, rank, float(np.linalg.norm(low_rank)))
    specific = specific[:, :rank]
    directions = (specific @ (specific.T @ (matrix[:, 1:] - matrix[:, :1]))).T
    norm = float(np.linalg.norm(common))
    return Subspaces(
        torch.from_numpy(common / norm), torch.from_numpy(specific.copy()), torch.from_numpy(directions.copy()), norm
    )


def _check_spread(values: np.ndarray, rank: int, scale: float) -> None:
    """Fail when the `rank` largest singular values are not all clearly above rounding."""
    if values[rank - 1] <= _DEGENERATE * max(values[0], 1e-9 * scale) or values[0] <= 1e-12 * scale:
        raise RunError(
            f"the language means are collinear: they span fewer than {rank} dimensions "
            f"(singular values {', '.join(f'{v:.2e}' for v in values[:rank])})",
            "Two languages may have the same probing texts; or ask for a smaller rank.",
        )
