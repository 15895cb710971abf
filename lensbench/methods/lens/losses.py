"""The three losses of LENS, eqs. 4 to 6, through coordinates in the subspaces; everything in float32."""

from __future__ import annotations

from typing import Literal

from jaxtyping import Bool, Float
from torch import Tensor

__all__ = ["alignment_loss", "push_loss", "retention_loss"]

Reduction = Literal["mean", "norm"]


def alignment_loss(
    central: Float[Tensor, "batch hidden"],
    target: Float[Tensor, "batch hidden"],
    agnostic: Float[Tensor, hidden],
    reduction: Reduction = "mean",
) -> Float[Tensor, ""]:
    """L1: squared norm of the agnostic projection of the difference of both languages' states (eq. 4).

    The projection on a unit vector is one coordinate, so its squared norm is that coordinate's square.
    """
    coordinate = (central.float() - target.float()) @ agnostic
    return _reduce(coordinate.square(), agnostic.numel(), reduction)


def push_loss(
    target: Float[Tensor, "batch hidden"],
    reference: Float[Tensor, "batch hidden"],
    specific: Float[Tensor, "hidden rank"],
    direction: Float[Tensor, hidden],
    strength: float,
    reduction: Reduction = "mean",
) -> Float[Tensor, ""]:
    """L2: squared distance of the specific part of the move away from the reference to `strength` x direction (eq. 5).

    `direction` lies in the span of `specific`, so the distance is that of the coordinates.
    """
    moved = (target.float() - reference.float()) @ specific
    wanted = strength * (direction @ specific)
    return _reduce((moved - wanted).square().sum(-1), direction.numel(), reduction)


def retention_loss(
    states: Float[Tensor, "batch seq hidden"],
    reference: Float[Tensor, "batch seq hidden"],
    mask: Bool[Tensor, "batch seq"],
    pool: Literal["mean", "last", "all_positions"] = "mean",
    reduction: Reduction = "mean",
) -> Float[Tensor, ""]:
    """L3: squared distance of the central language's pooled states to the reference's (eq. 6).

    Args:
        mask: True at real tokens; rows are padded on the left, so index -1 is always real.
        pool: Mean over real tokens, the last token, or the mean over all positions (the released code).
    """
    difference = states.float() - reference.float()
    if pool == "last":
        pooled = difference[:, -1]
    elif pool == "mean":
        weights = mask.to(difference.dtype)
        pooled = (difference * weights[..., None]).sum(1) / weights.sum(1, keepdim=True)
    else:
        pooled = difference.mean(1)
    return _reduce(pooled.square().sum(-1), states.shape[-1], reduction)


def _reduce(squared_norms: Float[Tensor, batch], hidden: int, reduction: Reduction) -> Float[Tensor, ""]:
    mean = squared_norms.mean()
    return mean / hidden if reduction == "mean" else mean
