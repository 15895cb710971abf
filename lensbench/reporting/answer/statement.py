"""One sentence of an answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Statement", "Tone"]

Tone = Literal["better", "worse", "plain", "warning"]


@dataclass(frozen=True)
class Statement:
    """One sentence, of one variant or of the run.

    Attributes:
        text: Plain text that names its metric; a view puts the variant before it.
        variant: None where it is of the run.
        tone: "better" and "worse" only where a test says so; "warning" for what makes numbers void.
        cells: `TASK/LANGUAGE` of the numbers it is about, for links to their items.
    """

    text: str
    variant: str | None = None
    tone: Tone = "plain"
    cells: tuple[str, ...] = ()

    @property
    def whole(self) -> str:
        """The sentence with its variant."""
        return self.text if self.variant is None else f"{self.variant}: {self.text}"
