"""Which points no other point beats in two quantities at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Front", "pareto_front"]


@dataclass(frozen=True)
class Front:
    """The points that are not dominated, and by which points the others are.

    One point dominates another if it is at least as good in both quantities and better in one. Equal points do not dominate each
    other. It is of the means: intervals play no part in it.

    Attributes:
        members: From the lowest first quantity to the highest.
        dominated: Name -> members of the front that dominate it.
    """

    members: tuple[str, ...]
    dominated: Mapping[str, tuple[str, ...]]


def pareto_front(points: Mapping[str, tuple[float, float]]) -> Front:
    """The front of some points.

    Args:
        points: Name -> two quantities, of which more is better.
    """
    # From the best first quantity down, a point is beaten if the second quantity was matched before.
    ranked = sorted(points, key=lambda name: (-points[name][0], -points[name][1]))
    members: list[str] = []
    best: tuple[float, float] | None = None
    for name in ranked:
        if best is None or points[name][1] > best[1] or points[name] == best:
            members.append(name)
            best = points[name]
    members.reverse()
    dominated = {
        name: tuple(one for one in members if _dominates(points[one], points[name])) for name in points if name not in members
    }
    return Front(tuple(members), dominated)


def _dominates(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one[0] >= other[0] and one[1] >= other[1] and one != other
