"""One line of the score log: what came back for one item under one variant."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

from lensbench.engine.lm import TokenRequest
from lensbench.engine.noise import Answer, could_change, is_tied
from lensbench.pipeline.load_items import AskedTask
from lensbench.pipeline.variants import Variant
from lensbench.tasks.build import Item

__all__ = ["score_record"]


def score_record(
    asked: AskedTask,
    item: Item,
    variant: Variant,
    key: str,
    encoded: Sequence[TokenRequest],
    results: Sequence[Answer],
    noise: float,
) -> dict[str, Any]:
    """The record. A state other than "ok" carries no metric.

    Args:
        encoded: The item's requests.
        results: Their answers.
        noise: Nats by which each answer may be off; `tied` says whether that could decide the item.
    """
    state = "ok"
    first_tokens = [tuple(target) for _, _, target in encoded]
    first_token = asked.planned.task.profile.scoring == "first_token"
    if not all(math.isfinite(ll) for ll, _ in results):
        state = "not_finite"
    elif first_token and len(set(first_tokens)) < len(first_tokens):
        # The tokenizer begins several option letters with one token: the arg-max could not tell them apart.
        state = "letters_collide"
    metrics: dict[str, float] = {}
    tied = False
    if state == "ok":
        score = functools.partial(_metrics, asked, item)
        metrics = score(results)
        tied = is_tied([ll for ll, _ in results], noise)
        if not tied and metrics.keys() != {"acc"}:
            tied = could_change(metrics, results, noise, score)
    return {
        "key": key,
        "item": item.id,
        "variant": variant.name,
        "task": item.task,
        "language": item.language,
        "profile": item.profile,
        "state": state,
        "tied": tied,
        "metrics": metrics,
        "loglikelihoods": [ll if math.isfinite(ll) else None for ll, _ in results],
        "greedy": [greedy for _, greedy in results],
        "tokens": [len(target) for _, _, target in encoded],
    }


def _metrics(asked: AskedTask, item: Item, results: Sequence[Answer]) -> dict[str, float]:
    found = asked.built.process_results(item.doc, list(results))
    return {name: float(value) for name, value in found.items() if isinstance(value, int | float) or hasattr(value, "item")}
