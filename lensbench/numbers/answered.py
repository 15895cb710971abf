"""Matrices of a run: number of answers by asked and answered language."""

from __future__ import annotations

from lensbench.grading.fidelity.matrix import AnsweredIn, Level, build_matrices
from lensbench.jsonio import JsonObject
from lensbench.records import IdentifiedRecord, RunFolder
from lensbench.records.counting import last_identified

__all__ = ["answered_by_task"]


def answered_by_task(folder: RunFolder) -> list[JsonObject]:
    """Matrices of asked and answered languages of a run, ready for JSON: per task, identifier, variant, turn and level."""
    answers: dict[tuple[str, str], list[AnsweredIn]] = {}
    for record in last_identified(folder.records(IdentifiedRecord)).values():
        answers.setdefault((record.task, record.identifier), []).extend(
            AnsweredIn(record.language, record.variant, turn.turn, turn.cell, turn.lines) for turn in record.turns
        )
    levels: tuple[Level, ...] = ("answer", "line")
    return [
        {"task": task, "identifier": identifier, **matrix.as_dict()}
        for (task, identifier), own in answers.items()
        for level in levels
        for matrix in build_matrices(own, level)
    ]
