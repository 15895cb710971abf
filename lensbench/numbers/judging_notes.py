"""Notes on the ratings of a run: answers that address the judge, and replies from another model than requested."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lensbench.grading.judge.registry import same_model
from lensbench.jsonio import JsonObject
from lensbench.records import Grader, RunFolder, VerdictRecord
from lensbench.records.counting import final_verdicts
from lensbench.records.from_object import from_object

__all__ = ["JudgingNote", "judging_notes"]


@dataclass
class JudgingNote:
    """The ratings of one variant by one judge on one task in one language.

    Attributes:
        judge: The judge's signature.
        graded: Answers with a rating.
        injected: Of these, those that speak to their judge.
        other_models: Replies by the model that they name, where that is another than was asked.
    """

    task: str
    language: str
    variant: str
    judge: str
    graded: int = 0
    injected: int = 0
    other_models: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> JudgingNote:
        """A note as it stands in `results.json`."""
        return from_object(cls, content, other_models=Counter(content["other_models"]))

    @property
    def grader(self) -> Grader:
        return Grader.parse(self.judge, "judge")

    def as_dict(self) -> JsonObject:
        return {**vars(self), "other_models": dict(self.other_models)}


def judging_notes(folder: RunFolder) -> list[JudgingNote]:
    """A note for each task, language, variant and judge that has something to be said of it."""
    groups: dict[tuple[str, str, str, str], JudgingNote] = {}
    for record in final_verdicts(folder):
        if not isinstance(record, VerdictRecord) or not record.reply:
            continue
        place = (record.task, record.language, record.variant, record.judge)
        group = groups.setdefault(place, JudgingNote(*place))
        if record.state == "ok":
            group.graded += 1
            group.injected += bool(record.injection)
        asked, served = record.grader.model or "", record.reply.get("model")
        if isinstance(served, str) and not same_model(asked, served):
            group.other_models[served] += 1
    return [group for group in groups.values() if group.injected or group.other_models]
