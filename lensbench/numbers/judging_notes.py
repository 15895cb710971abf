"""What is said beside the ratings of a run: answers that speak to their judge, replies of another model than the one asked."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from lensbench.grading.judge.registry import same_model
from lensbench.numbers.read_metrics import final_verdicts
from lensbench.records import RunFolder

__all__ = ["beside_ratings"]


@dataclass
class _Group:
    graded: int = 0
    injected: int = 0
    other_models: Counter[str] = field(default_factory=Counter)


def beside_ratings(folder: RunFolder) -> list[dict[str, Any]]:
    """JSON-ready, one for each task, language, variant and judge that has something to be said of it.

    Returns:
        `graded`: answers with a rating; `injected`: of these, those that speak to their judge; `other_models`: replies by the
        model they name, where that is another than was asked.
    """
    groups: dict[tuple[str, str, str, str], _Group] = {}
    for record in final_verdicts(folder):
        reply = record.get("reply")
        if not reply:
            continue
        place = (record["task"], record["language"], record["variant"], record["judge"])
        group = groups.setdefault(place, _Group())
        if record["state"] == "ok":
            group.graded += 1
            group.injected += bool(record.get("injection"))
        # The judge's name and the digest hold no colon; a model's name may.
        asked, served = record["judge"].partition(":")[2].rpartition(":")[0], reply.get("model")
        if isinstance(served, str) and not same_model(asked, served):
            group.other_models[served] += 1
    names = ("task", "language", "variant", "judge")
    return [
        {**dict(zip(names, place, strict=True)), "graded": g.graded, "injected": g.injected, "other_models": dict(g.other_models)}
        for place, g in groups.items()
        if g.injected or g.other_models
    ]
