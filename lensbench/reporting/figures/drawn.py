"""A figure with its caption."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lensbench.reporting.figures.style import svg_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Drawn"]


@dataclass(frozen=True)
class Drawn:
    """A figure and what stands under it."""

    figure: Figure
    caption: str

    def svg(self) -> str:
        return svg_text(self.figure, self.caption)
