"""Hidden states of parallel prompts: inside the specific subspace, without it, and along the agnostic direction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lensbench.reporting.figures.fonts import Label, printable
from lensbench.reporting.figures.lines import LINE_LOOKS
from lensbench.reporting.figures.projection import Projection
from lensbench.reporting.figures.style import PAGE, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_projection", "projection_caption"]

_HEIGHT, _BINS = 2.05, 24


def draw_projection(projection: Projection, labels: dict[str, Label], width: float | None = None) -> Figure:
    """The figure, to be called within `styled()`: a row for the backbone and one for the variant, on common axes."""
    names = list(dict.fromkeys(name for name, _ in projection.states))
    figure = new_figure(width or PAGE, 0.4 + _HEIGHT * len(names))
    grid = figure.subplots(len(names), 3, squeeze=False, sharex="col", sharey="col")
    views = [(projection.specific, "language-specific subspace"), (projection.rest, "without it")]
    views.append((projection.line, "agnostic direction"))
    for row, name in enumerate(names):
        for column, (view, title) in enumerate(views):
            axes, points, shares = grid[row][column], view.points, view.shares
            chosen = {
                code: [p for p, at in zip(points, projection.states, strict=True) if at == (name, code)]
                for code in projection.languages
            }
            if len(points[0]) == 1:
                _histogram(axes, chosen, [p[0] for p in points])
            else:
                _scatter(axes, chosen, points)
            axes.set_title(f"{printable(name)}: {title}", loc="left")
            if row == len(names) - 1:
                axes.set_xlabel(_axis(1, shares) if shares else "coordinate")
            axes.set_ylabel("prompts" if len(points[0]) == 1 else _axis(2, shares))
    _legend(figure, projection.languages, labels)
    return figure


def projection_caption(projection: Projection) -> str:
    layer = projection.layer
    where = f"layer {layer} of {projection.layers}" + (" (final norm)" if layer == projection.layers else "")
    return (
        f"Hidden states of {projection.prompts} parallel prompts ({projection.rows}) in each of {len(projection.languages)} "
        f"languages under {projection.backbone} and its variant {projection.variant}, at the last token of the prompt after "
        f"{where}. Left: principal components inside the language-specific subspace (rank {projection.rank}). Middle: of what is "
        "left without it; the agnostic subspace has one dimension and no plane. Right: coordinate along that one dimension. Both "
        "rows share their axes; components are of both variants' states together, percentages the share of the variance along "
        "each. "
        "Every prompt is shown."
    )


def _scatter(axes: Axes, chosen: dict[str, list[tuple[float, ...]]], everything: Sequence[Sequence[float]]) -> None:
    for number, (code, points) in enumerate(chosen.items()):
        look = LINE_LOOKS[number % len(LINE_LOOKS)]
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


def _histogram(axes: Axes, chosen: dict[str, list[tuple[float, ...]]], everything: Sequence[float]) -> None:
    low, high = min(everything), max(everything)
    step = (high - low or 1.0) / _BINS
    edges = [low + step * i for i in range(_BINS + 1)]
    edges[-1] = max(edges[-1], high)
    for number, (code, points) in enumerate(chosen.items()):
        look = LINE_LOOKS[number % len(LINE_LOOKS)]
        axes.hist(
            [p[0] for p in points], bins=edges, histtype="step", color=look.fill, linestyle=look.dash, linewidth=0.9, label=code
        )


def _axis(number: int, shares: Sequence[float]) -> str:
    return f"component {number} ({100 * shares[number - 1]:.0f}%)"


def _legend(figure: Figure, codes: Sequence[str], labels: dict[str, Label]) -> None:
    from matplotlib.lines import Line2D

    handles = []
    for number, code in enumerate(codes):
        look = LINE_LOOKS[number % len(LINE_LOOKS)]
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
