"""Notes on the ratings of a run: answers that address the judge, and replies from another model than requested."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from lensbench.grading.judge.registry import same_model
from lensbench.jsonio import JsonObject
from lensbench.records import RunFolder, VerdictRecord
from lensbench.records.counting import final_verdicts

__all__ = ["beside_ratings"]


@dataclass
class _Group:
    graded: int = 0
    injected: int = 0
    other_models: Counter[str] = field(default_factory=Counter)


def beside_ratings(folder: RunFolder) -> list[JsonObject]:
    """JSON-ready, one for each task, language, variant and judge that has something to be said of it.

    Returns:
        `graded`: answers with a rating; `injected`: of these, those that speak to their judge; `other_models`: replies by the
        model they name, where that is another than was asked.
    """
    groups: dict[tuple[str, str, str, str], _Group] = {}
    for record in final_verdicts(folder):
        if not isinstance(record, VerdictRecord) or not record.reply:
            continue
        place = (record.task, record.language, record.variant, record.judge)
        group = groups.setdefault(place, _Group())
        if record.state == "ok":
            group.graded += 1
            group.injected += bool(record.injection)
        asked, served = record.grader.model or "", record.reply.get("model")
        if isinstance(served, str) and not same_model(asked, served):
            group.other_models[served] += 1
    names = ("task", "language", "variant", "judge")
    return [
        {**dict(zip(names, place, strict=True)), "graded": g.graded, "injected": g.injected, "other_models": dict(g.other_models)}
        for place, g in groups.items()
        if g.injected or g.other_models
    ]
