"""How many answers mostly repeat themselves, and how many were cut by their length limit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from lensbench.grading.repetition import is_degenerate
from lensbench.jsonio import JsonObject
from lensbench.reasoning import ANSWERED
from lensbench.records import AnswerRecord, RunFolder
from lensbench.records.counting import conversations
from lensbench.records.from_object import from_object

__all__ = ["DegenerateAnswers", "degenerate_counts"]

_CUT = "length"
"""How an answer ended that reached its limit, as its record says."""


@dataclass
class DegenerateAnswers:
    """Answers of one variant on one task in one language; every turn counts.

    Attributes:
        answers: Answers of the model, the empty ones too.
        degenerate: Of these, those of which more than half repeats what they said before.
        cut: Of these, those that reached their length limit. A short limit cuts good answers as well.
    """

    task: str
    language: str
    variant: str
    answers: int = 0
    degenerate: int = 0
    cut: int = 0

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> DegenerateAnswers:
        """Counts as they stand in `results.json`."""
        return from_object(cls, content)

    def as_dict(self) -> JsonObject:
        return asdict(self)


def degenerate_counts(folder: RunFolder) -> list[DegenerateAnswers]:
    """Counts for every task, language and variant with answers, from the records only."""
    found: dict[tuple[str, str, str], DegenerateAnswers] = {}
    for turns in conversations(folder.records(AnswerRecord)).values():
        for answer in turns.values():
            if answer.answer_state not in ANSWERED:
                continue
            place = (answer.task, answer.language, answer.variant)
            counts = found.setdefault(place, DegenerateAnswers(*place))
            counts.answers += 1
            counts.degenerate += is_degenerate(answer.parts.answer)
            counts.cut += answer.finish == _CUT
    return list(found.values())
