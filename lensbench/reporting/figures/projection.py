"""Hidden states of parallel prompts in a variant's subspaces, as `lensbench project` wrote them into a run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lensbench.errors import DataError, RunError, UsageError, unknown_name
from lensbench.jsonio import read_json_file
from lensbench.reporting.run_view import RunView
from lensbench.safenames import folder_name

__all__ = ["Points", "Projection", "read_projection"]


@dataclass(frozen=True)
class Points:
    """States in one view: a point each, and the share of the variance along each coordinate; () where it is not known."""

    points: tuple[tuple[float, ...], ...]
    shares: tuple[float, ...] = ()


@dataclass(frozen=True)
class Projection:
    """The states of a variant and its backbone.

    Attributes:
        rows: Data set of the prompts.
        layer: After which the states were read, of `layers`.
        rank: Of the language-specific subspace.
        prompts: In each language.
        states: Variant and language of each state; the points of all views are in this order.
        specific, rest: Principal components inside the language-specific subspace, and of what is left without it.
        line: Coordinate along the agnostic direction.
    """

    variant: str
    backbone: str
    rows: str
    layer: int
    layers: int
    rank: int
    languages: tuple[str, ...]
    prompts: int
    states: tuple[tuple[str, str], ...]
    specific: Points
    rest: Points
    line: Points


def read_projection(run: RunView, variant: str | None = None) -> Projection:
    """What `lensbench project` wrote into a run.

    Raises:
        UsageError: it has not been called, or not for this variant.
        RunError: the file cannot be read.
    """
    folder = run.folder.path / "projections"
    called = {folder_name(name): name for name in run.results.variants}
    there = sorted(called.get(path.stem, path.stem) for path in folder.glob("*.json"))
    if not there:
        raise UsageError(
            f"{run.folder.path} has no hidden states to draw", f"Read them first: lensbench project {run.folder.path}"
        )
    if variant is not None and variant not in there:
        raise unknown_name("projected variant", variant, there)
    if variant is None and len(there) > 1:
        raise UsageError("``variants``: which one?", f"Projected are: {', '.join(there)}.")
    path = run.folder.own(Path("projections") / f"{folder_name(variant or there[0])}.json")
    try:
        return _projection(read_json_file(path))
    except (DataError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path}: not a projection ({error!r})", f"Make it again: lensbench project {run.folder.path}") from None


def _projection(found: Mapping[str, Any]) -> Projection:
    """
    Raises:
        ValueError, KeyError, TypeError: it is not what `lensbench project` writes.
    """
    _check(found)
    told = {name: found[name] for name in ("variant", "backbone", "rows", "layer", "layers", "rank", "prompts")}
    return Projection(
        **told,
        languages=tuple(found["languages"]),
        states=tuple((name, code) for name, code in found["states"]),
        specific=_points(found["specific"]),
        rest=_points(found["rest"]),
        line=Points(tuple((value,) for value in found["agnostic"])),
    )


def _points(view: Mapping[str, Any]) -> Points:
    return Points(tuple(map(tuple, view["points"])), tuple(view["shares"]))


def _check(found: Mapping[str, Any]) -> None:
    """
    Raises:
        ValueError, KeyError, TypeError: it is not what `lensbench project` writes.
    """
    states, views = found["states"], [found["specific"], found["rest"]]
    if not states or not len(states) == len(found["agnostic"]) == len(views[0]["points"]) == len(views[1]["points"]):
        raise ValueError("its lists are of unlike length, or empty")
    if not all(isinstance(state, list) and len(state) == 2 and all(isinstance(part, str) for part in state) for state in states):
        raise TypeError("its states are not pairs of a name and a language")
    if not {code for _, code in states} <= set(found["languages"]):
        raise ValueError("a state is of a language that it does not list")
    for view in views:
        wide = {len(point) for point in view["points"]}
        if len(wide) != 1 or not next(iter(wide)) >= 1 or len(view["shares"]) < min(2, next(iter(wide))):
            raise ValueError("its points are of unlike width")
    numbers = [number for view in views for point in (*view["points"], view["shares"]) for number in point]
    if not all(type(number) in (int, float) and math.isfinite(number) for number in (*numbers, *found["agnostic"])):
        raise TypeError("a coordinate is no number")
