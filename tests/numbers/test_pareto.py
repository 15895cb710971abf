"""The Pareto front against the definition, point by point."""

from __future__ import annotations

import random

import pytest

from lensbench.numbers.pareto import pareto_front

Points = dict[str, tuple[float, float]]


def beats(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one[0] >= other[0] and one[1] >= other[1] and (one[0] > other[0] or one[1] > other[1])


def slowly(points: Points) -> set[str]:
    return {name for name, own in points.items() if not any(beats(other, own) for other in points.values())}


@pytest.mark.parametrize("seed", range(40))
def test_members_are_those_that_nothing_beats(seed: int) -> None:
    draw = random.Random(seed)
    # Few different values, so that there are ties in one quantity and equal points.
    points = {str(i): (draw.randint(0, 6) / 2, draw.randint(0, 6) / 2) for i in range(draw.randint(1, 25))}
    front = pareto_front(points)
    assert set(front.members) == slowly(points)
    assert front.members and [points[name][0] for name in front.members] == sorted(points[name][0] for name in front.members)
    assert set(front.dominated) == set(points) - set(front.members)
    for name, by in front.dominated.items():
        assert by and set(by) == {one for one in front.members if beats(points[one], points[name])}


def test_equal_points_are_both_on_the_front() -> None:
    front = pareto_front({"a": (1.0, 0.0), "b": (1.0, 0.0), "c": (0.0, 0.0)})
    assert set(front.members) == {"a", "b"} and set(front.dominated["c"]) == {"a", "b"}


def test_nothing_has_an_empty_front() -> None:
    assert pareto_front({}).members == ()
