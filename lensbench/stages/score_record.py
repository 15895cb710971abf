"""One line of the score log: what came back for one item under one variant."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

from lensbench.engines.noise import could_change, is_tied
from lensbench.engines.protocol import Answer, TokenRequest
from lensbench.plan.task_items import TaskItems
from lensbench.stages.variants import Variant
from lensbench.tasks.build import Item

__all__ = ["as_truncated", "score_record"]


def score_record(
    asked: TaskItems,
    item: Item,
    variant: Variant,
    key: str,
    encoded: Sequence[TokenRequest],
    results: Sequence[Answer],
    noise: float,
) -> dict[str, Any]:
    """The record. A state other than "ok" carries no metric.

    Args:
        encoded: The item's requests; where each choice is asked a second time without the question, those come last, and the
            record keeps their answers apart (`unconditional`).
        results: Their answers.
        noise: Nats by which each answer may be off; `tied` says whether that could decide the item.
    """
    state = item.flaw or "ok"
    choices = len(results) // 2 if _asks_twice(asked) else len(results)
    first_tokens = [tuple(target) for _, _, target in encoded[:choices]]
    first_token = asked.planned.task.profile.scoring == "first_token"
    if item.flaw:
        # There is nothing to score; lensbench/tasks/checks.py says why.
        pass
    elif not all(math.isfinite(ll) for ll, _ in results):
        state = "not_finite"
    elif first_token and len(set(first_tokens)) < len(first_tokens):
        # The tokenizer begins several option letters with one token: the arg-max could not tell them apart.
        state = "letters_collide"
    metrics: dict[str, float] = {}
    tied = False
    if state == "ok":
        metrics = _metrics(asked, item, results)
        tied = is_tied([ll for ll, _ in results[:choices]], noise)
        if not tied and metrics.keys() != {"acc"}:
            tied = could_change(metrics, results[:choices], noise, functools.partial(_moved, asked, item, results))
    plain = [(ll if math.isfinite(ll) else None, greedy) for ll, greedy in results]
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
        "loglikelihoods": [ll for ll, _ in plain[:choices]],
        "greedy": [greedy for _, greedy in plain[:choices]],
        "tokens": [len(target) for _, _, target in encoded[:choices]],
        **({"unconditional": plain[choices:]} if plain[choices:] else {}),
    }


def as_truncated(record: dict[str, Any]) -> dict[str, Any]:
    """The record of an item whose beginning was not read, since a request is longer than the model's window.

    lm-eval counts such an item; here its log-likelihoods stay as lm-eval has them, and it has no metric.
    """
    return {**record, "state": "truncated", "metrics": {}, "tied": False}


def _asks_twice(asked: TaskItems) -> bool:
    """Whether each choice is asked a second time, without the question: lm-eval appends those requests for `acc_mutual_info`."""
    config = asked.built.config
    return config.output_type == "multiple_choice" and any(
        metric["metric"] == "acc_mutual_info" for metric in config.metric_list or ()
    )


def _moved(asked: TaskItems, item: Item, results: Sequence[Answer], choices: Sequence[Answer]) -> dict[str, float]:
    """The metrics with other log-likelihoods of the choices; those without the question are off the other way, the worst case
    for a difference of the two."""
    unconditional = [
        (ll - (moved - before), greedy)
        for (moved, _), (before, _), (ll, greedy) in zip(choices, results, results[len(choices) :], strict=False)
    ]
    return _metrics(asked, item, [*choices, *unconditional])


def _metrics(asked: TaskItems, item: Item, results: Sequence[Answer]) -> dict[str, float]:
    found = asked.built.process_results(item.doc, list(results))
    return {name: float(value) for name, value in found.items() if isinstance(value, int | float) or hasattr(value, "item")}
