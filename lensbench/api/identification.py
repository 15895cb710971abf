"""What `Run.identify` found: the languages of a run's answers, from one identifier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lensbench.api.rendering import View, fidelity_view
from lensbench.jsonio import JsonObject

if TYPE_CHECKING:
    from lensbench.numbers.answered import AnsweredMatrix
    from lensbench.numbers.cell import Cell
    from lensbench.numbers.degenerate import DegenerateAnswers
    from lensbench.numbers.off_target import OffTarget

__all__ = ["Identification"]


@dataclass(frozen=True)
class Identification:
    """The languages of a run's answers, from one identifier."""

    identifier: str
    """Name and digest."""
    fresh: int
    """Conversations identified by this call."""
    cells: Sequence[Cell]
    matrices: Sequence[AnsweredMatrix]
    """Asked x answered."""
    off_target: Sequence[OffTarget] = ()
    """Answers in the asked language, in another, and in none that is known."""
    degenerate: Sequence[DegenerateAnswers] = ()
    """Answers that mostly repeat themselves, and answers cut by their length limit."""

    def view(self) -> View:
        """Every unit of fidelity, and where the answers went."""
        return fidelity_view(self.identifier, self.cells, self.matrices, self.off_target, self.degenerate)

    def as_dict(self) -> JsonObject:
        return {
            "identifier": self.identifier,
            "cells": [cell.as_dict() for cell in self.cells],
            "matrices": [matrix.as_dict() for matrix in self.matrices],
            "off_target": [counts.as_dict() for counts in self.off_target],
            "degenerate": [counts.as_dict() for counts in self.degenerate],
        }

    def _repr_html_(self) -> str:
        return self.view()._repr_html_()
