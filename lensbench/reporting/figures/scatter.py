"""Hidden states of parallel prompts: inside the specific subspace, without it, and along the agnostic direction."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lensbench.errors import DataError, RunError, UsageError, unknown_name
from lensbench.jsonio import read_json_file
from lensbench.reporting.figures.fonts import Label, printable
from lensbench.reporting.figures.lines import LOOKS
from lensbench.reporting.figures.style import PAGE, new_figure
from lensbench.reporting.html.runs import ReportRun
from lensbench.safenames import folder_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_projection", "projection_caption", "read_projection"]

_VIEWS = (("specific", "language-specific subspace"), ("rest", "without it"), ("agnostic", "agnostic direction"))
_HEIGHT, _BINS = 2.05, 24


def read_projection(run: ReportRun, variant: str | None = None) -> dict[str, Any]:
    """What `lensbench project` wrote into a run.

    Raises:
        UsageError: it has not been called, or not for this variant.
        RunError: the file cannot be read.
    """
    folder = run.folder.path / "projections"
    called = {folder_name(name): name for name in run.results["variants"]}
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
        found: dict[str, Any] = read_json_file(path)
        _check(found)
    except (DataError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path}: not a projection ({error!r})", f"Make it again: lensbench project {run.folder.path}") from None
    return found


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


def draw_projection(projection: dict[str, Any], labels: dict[str, Label], width: float | None = None) -> Figure:
    """The figure, to be called within `styled()`: a row for the backbone and one for the variant, on common axes."""
    names = list(dict.fromkeys(name for name, _ in projection["states"]))
    figure = new_figure(width or PAGE, 0.4 + _HEIGHT * len(names))
    grid = figure.subplots(len(names), len(_VIEWS), squeeze=False, sharex="col", sharey="col")
    for row, name in enumerate(names):
        for column, (view, title) in enumerate(_VIEWS):
            axes = grid[row][column]
            points, shares = _points(projection, view)
            chosen = {
                code: [p for p, at in zip(points, projection["states"], strict=True) if at == [name, code]]
                for code in projection["languages"]
            }
            if len(points[0]) == 1:
                _histogram(axes, chosen, [p[0] for p in points])
            else:
                _scatter(axes, chosen, points)
            axes.set_title(f"{printable(name)}: {title}", loc="left")
            if row == len(names) - 1:
                axes.set_xlabel(_axis(1, shares) if shares else "coordinate")
            axes.set_ylabel("prompts" if len(points[0]) == 1 else _axis(2, shares))
    _legend(figure, projection["languages"], labels)
    return figure


def projection_caption(projection: dict[str, Any]) -> str:
    n, codes, layer = projection["prompts"], projection["languages"], projection["layer"]
    where = f"layer {layer} of {projection['layers']}" + (" (final norm)" if layer == projection["layers"] else "")
    return (
        f"Hidden states of {n} parallel prompts ({projection['rows']}) in each of {len(codes)} languages under "
        f"{projection['backbone']} and its variant {projection['variant']}, at the last token of the prompt after {where}. "
        f"Left: principal components inside the language-specific subspace (rank {projection['rank']}). Middle: of what is left "
        "without it; the agnostic subspace has one dimension and no plane. Right: coordinate along that one dimension. Both rows "
        "share their axes; components are of both variants' states together, percentages the share of the variance along each. "
        "Every prompt is shown."
    )


def _points(projection: dict[str, Any], view: str) -> tuple[list[list[float]], list[float]]:
    if view == "agnostic":
        return [[value] for value in projection["agnostic"]], []
    return projection[view]["points"], projection[view]["shares"]


def _scatter(axes: Axes, chosen: dict[str, list[list[float]]], everything: Sequence[Sequence[float]]) -> None:
    for number, (code, points) in enumerate(chosen.items()):
        look = LOOKS[number % len(LOOKS)]
        axes.scatter(
            [p[0] for p in points],
            [p[1] for p in points],
            s=7,
            marker=look.marker,
            facecolor=look.fill,
            edgecolor="#202020",
            linewidth=0.25,
            alpha=0.75,
            label=code,
        )
    for bound, place in ((axes.set_xlim, 0), (axes.set_ylim, 1)):
        values = [p[place] for p in everything]
        room = 0.05 * (max(values) - min(values)) or 1.0
        bound(min(values) - room, max(values) + room)


def _histogram(axes: Axes, chosen: dict[str, list[list[float]]], everything: Sequence[float]) -> None:
    low, high = min(everything), max(everything)
    step = (high - low or 1.0) / _BINS
    edges = [low + step * i for i in range(_BINS + 1)]
    edges[-1] = max(edges[-1], high)
    for number, (code, points) in enumerate(chosen.items()):
        look = LOOKS[number % len(LOOKS)]
        axes.hist(
            [p[0] for p in points], bins=edges, histtype="step", color=look.fill, linestyle=look.dash, linewidth=0.9, label=code
        )


def _axis(number: int, shares: Sequence[float]) -> str:
    return f"component {number} ({100 * shares[number - 1]:.0f}%)"


def _legend(figure: Figure, codes: Sequence[str], labels: dict[str, Label]) -> None:
    from matplotlib.lines import Line2D

    handles = []
    for number, code in enumerate(codes):
        look = LOOKS[number % len(LOOKS)]
        handles.append(
            Line2D(
                [],
                [],
                linestyle=look.dash,
                linewidth=0.9,
                marker=look.marker,
                color=look.fill,
                markersize=3.4,
                markeredgecolor="#202020",
                markeredgewidth=0.3,
                label=labels[code].text,
            )
        )
    legend = figure.legend(handles=handles, loc="outside upper center", ncols=min(len(codes), 8), handlelength=2.6)
    for text, code in zip(legend.get_texts(), codes, strict=True):
        text.set_fontfamily(list(labels[code].families))
