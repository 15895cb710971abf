"""Asked x answered matrices of a run: how many answers went into which language."""

from __future__ import annotations

from lensbench.grading.fidelity.matrix import AnsweredIn, Level, build_matrices
from lensbench.jsonio import JsonObject
from lensbench.records import IdentifiedRecord, RunFolder
from lensbench.records.counting import last_identified

__all__ = ["answered_by_task"]


def answered_by_task(folder: RunFolder) -> list[JsonObject]:
    """Asked x answered matrices of a run, JSON-ready: per task, identifier, variant, turn and level.

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
        {"task": task, "identifier": identifier, **matrix.as_dict()}
        for (task, identifier), own in answers.items()
        for level in levels
        for matrix in build_matrices(own, level)
    ]
