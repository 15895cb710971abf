"""Parts of a state inside and outside the subspaces of LENS, and planes that show them (Figure 6 of the paper)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

__all__ = ["Plane", "Views", "principal_plane", "views"]


@dataclass(frozen=True)
class Plane:
    """Points in the directions in which they spread the most.

    Attributes:
        points: Coordinates; one column where the points spread in one direction only.
        shares: Share of the whole variance along each.
    """

    points: Float[ndarray, "states axes"]
    shares: tuple[float, ...]


@dataclass(frozen=True)
class Views:
    """Three views of the same states.

    Attributes:
        specific: Principal plane inside the specific subspace, P_s x.
        rest: Principal plane of what is left without it, x - P_s x. The agnostic subspace has one dimension, so it has no
            plane of its own.
        agnostic: Coordinate along the agnostic direction.
    """

    specific: Plane
    rest: Plane
    agnostic: Float[ndarray, states]


def views(
    states: Float[ndarray, "states hidden"], specific: Float[ndarray, "hidden rank"], agnostic: Float[ndarray, hidden]
) -> Views:
    """The views of states.

    Args:
        specific: [M_s] Orthonormal columns.
        agnostic: [M_a] Unit vector.
    """
    states = np.asarray(states, dtype=np.float64)
    inside = states @ specific
    return Views(principal_plane(inside), principal_plane(states - inside @ specific.T), states @ agnostic)


def principal_plane(points: Float[ndarray, "states features"]) -> Plane:
    """Principal components, two at most.

    The sign of a component means nothing; it is chosen so that the coordinate of largest size is positive, which makes results
    the same everywhere.
    """
    centred = points - points.mean(axis=0)
    left, values, _ = np.linalg.svd(centred, full_matrices=False)
    axes = min(2, points.shape[1])
    found = left[:, :axes] * values[:axes]
    signs = np.sign(found[np.abs(found).argmax(axis=0), range(axes)])
    total = float((values**2).sum())
    shares = tuple(float(value**2) / total if total else 0.0 for value in values[:axes])
    return Plane(found * np.where(signs == 0, 1.0, signs), shares)
