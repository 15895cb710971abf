"""Labels beside points, placed so that none covers another label or a point."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lensbench.reporting.figures.fonts import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["place_labels"]

_NEAR, _FAR = 4.0, 11.0
"""Distances of a label from its point, in points of type."""
_ROUND = ((1, 1), (1, -1), (-1, 1), (-1, -1), (1, 0), (-1, 0), (0, 1), (0, -1))
_POINT = 3.0
"""Half the side of the square around a point that no label may cover, in points of type."""

Box = tuple[float, float, float, float]
"""Left, bottom, right, top, in pixels."""


def place_labels(
    axes: Axes, labels: Sequence[tuple[tuple[float, float], str]], others: Sequence[tuple[float, float]] = ()
) -> int:
    """Write each label where it covers nothing, near its point if there is room, otherwise further away with a line to it.

    The figure must have been laid out before.

    Args:
        labels: Point and text; the first are placed first.
        others: Further points that must not be covered.

    Returns:
        How many labels found no room and were left out.
    """
    from matplotlib.text import Text

    figure = axes.get_figure()
    assert figure is not None
    pixel = figure.dpi / 72.0
    half = _POINT * pixel
    taken: list[Box] = []
    for x, y in [*(point for point, _ in labels), *others]:
        at = axes.transData.transform((x, y))
        taken.append((at[0] - half, at[1] - half, at[0] + half, at[1] + half))
    frame = axes.get_window_extent()
    inside = (frame.x0, frame.y0, frame.x1, frame.y1)
    left_out = 0
    for point, text in labels:
        for far, across, up in ((far, across, up) for far in (_NEAR, _FAR, 2 * _FAR, 3.5 * _FAR) for across, up in _ROUND):
            written = axes.annotate(
                printable(text),
                point,
                xytext=(far * across, far * up),
                textcoords="offset points",
                ha=("right", "center", "left")[across + 1],
                va=("top", "center", "bottom")[up + 1],
                fontsize=5.5,
                color="#202020",
                zorder=7,
                # Lines below a label do not strike it through.
                bbox={"boxstyle": "square,pad=0.1", "facecolor": "#ffffff", "edgecolor": "none", "alpha": 0.75},
                arrowprops={"arrowstyle": "-", "linewidth": 0.4, "color": "#606060", "shrinkA": 0, "shrinkB": 2}
                if far > _NEAR
                else None,
            )
            # Puts the text in its place. Its own extent has the line to the point in it, so that of the text alone is taken.
            written.get_window_extent()
            extent = Text.get_window_extent(written)
            box = (extent.x0, extent.y0, extent.x1, extent.y1)
            if _within(box, inside) and not any(_overlap(box, other) for other in taken):
                taken.append(box)
                break
            written.remove()
        else:
            left_out += 1
    return left_out


def _within(box: Box, outer: Box) -> bool:
    return box[0] >= outer[0] and box[1] >= outer[1] and box[2] <= outer[2] and box[3] <= outer[3]


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
