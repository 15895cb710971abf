"""Matrices of a run: number of answers by asked and answered language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lensbench.grading.fidelity.matrix import AnsweredIn, Level, Matrix, build_matrices
from lensbench.jsonio import JsonObject
from lensbench.records import Grader, IdentifiedRecord, RunFolder
from lensbench.records.counting import last_identified
from lensbench.records.from_object import from_object

__all__ = ["AnsweredMatrix", "answered_by_task"]


@dataclass(frozen=True)
class AnsweredMatrix:
    """The matrix of one variant, turn and level in one task, by one identifier."""

    task: str
    identifier: str
    """Name and digest."""
    matrix: Matrix

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> AnsweredMatrix:
        """A matrix as it stands in `results.json`."""
        counts = tuple(tuple(row) for row in content["counts"])
        return cls(content["task"], content["identifier"], from_object(Matrix, content, counts=counts))

    @property
    def grader(self) -> Grader:
        return Grader.parse(self.identifier, "identifier")

    def as_dict(self) -> JsonObject:
        return {"task": self.task, "identifier": self.identifier, **self.matrix.as_dict()}


def answered_by_task(folder: RunFolder) -> list[AnsweredMatrix]:
    """Asked x answered matrices of a run: per task, identifier, variant, turn and level.

    Raises:
        KeyError: a record of an older version does not say which languages its answers are in.
    """
    answers: dict[tuple[str, str], list[AnsweredIn]] = {}
    for record in last_identified(folder.records(IdentifiedRecord)).values():
        if not record.turns:
            # Every conversation has a turn, so this is a record from before turns were written.
            raise KeyError("turns")
        answers.setdefault((record.task, record.identifier), []).extend(
            AnsweredIn(record.language, record.variant, turn.turn, turn.cell, turn.lines) for turn in record.turns
        )
    levels: tuple[Level, ...] = ("answer", "line")
    return [
        AnsweredMatrix(task, identifier, matrix)
        for (task, identifier), own in answers.items()
        for level in levels
        for matrix in build_matrices(own, level)
    ]
