"""Asked x answered matrices of a run: how many answers went into which language."""

from __future__ import annotations

from typing import Any

from lensbench.grading.fidelity.matrix import Level, build_matrices
from lensbench.records import RunFolder

__all__ = ["answered_by_task"]


def answered_by_task(folder: RunFolder) -> list[dict[str, Any]]:
    """Asked x answered matrices of a run, JSON-ready: per task, identifier, variant, turn and level."""
    records: dict[tuple[str, str], dict[tuple[str, str], dict[str, Any]]] = {}
    for record in folder.records("identified"):
        # The last record of a conversation is the whole one.
        records.setdefault((record["task"], record["identifier"]), {})[record["item"], record["variant"]] = record
    found = []
    for (task, identifier), conversations in records.items():
        answers = [
            {
                "language": c["language"],
                "variant": c["variant"],
                "turn": turn["turn"],
                "cell": turn["cell"],
                "lines": turn["lines"],
            }
            for c in conversations.values()
            for turn in c["turns"]
        ]
        levels: tuple[Level, ...] = ("answer", "line")
        for level in levels:
            for matrix in build_matrices(answers, level):
                found.append({"task": task, "identifier": identifier, **matrix.as_dict()})
    return found
