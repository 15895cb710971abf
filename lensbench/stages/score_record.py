"""One line of the score log: the result of one item under one variant."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import replace

from lensbench.engines.noise import could_change, is_tied
from lensbench.engines.protocol import Answer, TokenRequest
from lensbench.metrics import ScoredItem, get_metric, gold_choice
from lensbench.plan.task_items import TaskItems
from lensbench.records import ScoreRecord
from lensbench.stages.variants import Variant
from lensbench.tasks.build import Item
from lensbench.tasks.package_metrics import compute_metric, corpus_statistics

__all__ = ["as_truncated", "score_record"]


def score_record(
    asked: TaskItems,
    item: Item,
    variant: Variant,
    key: str,
    encoded: Sequence[TokenRequest],
    results: Sequence[Answer],
    noise: float,
) -> ScoreRecord:
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
    statistics: dict[str, list[float]] = {}
    tied = False
    if state == "ok":
        tokens = [len(target) for _, _, target in encoded[:choices]]
        metrics = _metrics(asked, item, tokens, results)
        statistics = _statistics(asked, item, tokens, results)
        tied = is_tied([ll for ll, _ in results[:choices]], noise)
        if not tied and not all(get_metric(name).by_likeliest for name in metrics):
            tied = could_change(metrics, results[:choices], noise, functools.partial(_moved, asked, item, tokens, results))
    plain = [(ll if math.isfinite(ll) else None, greedy) for ll, greedy in results]
    return ScoreRecord(
        key=key,
        item=item.id,
        variant=variant.name,
        task=item.task,
        language=item.language,
        profile=item.profile,
        state=state,
        tied=tied,
        metrics=metrics,
        statistics=statistics,
        loglikelihoods=[ll for ll, _ in plain[:choices]],
        greedy=[greedy for _, greedy in plain[:choices]],
        tokens=[len(target) for _, _, target in encoded[:choices]],
        unconditional=plain[choices:],
    )


def as_truncated(record: ScoreRecord) -> ScoreRecord:
    """The record of an item whose beginning was not read, since a request is longer than the model's window.

    lm-eval counts such an item; here its log-likelihoods stay as lm-eval has them, and it has no metric.
    """
    return replace(record, state="truncated", metrics={}, statistics={}, tied=False)


def _asks_twice(asked: TaskItems) -> bool:
    """Whether each choice is asked a second time, without the question: lm-eval appends those requests for `acc_mutual_info`."""
    config = asked.built.config
    return config.output_type == "multiple_choice" and any(
        metric["metric"] == "acc_mutual_info" for metric in config.metric_list or ()
    )


def _moved(
    asked: TaskItems, item: Item, tokens: Sequence[int], results: Sequence[Answer], choices: Sequence[Answer]
) -> dict[str, float]:
    """The metrics with other log-likelihoods of the choices; those without the question are off the other way, the worst case
    for a difference of the two."""
    unconditional = [
        (ll - (moved - before), greedy)
        for (moved, _), (before, _), (ll, greedy) in zip(choices, results, results[len(choices) :], strict=False)
    ]
    return _metrics(asked, item, tokens, [*choices, *unconditional])


def _metrics(asked: TaskItems, item: Item, tokens: Sequence[int], results: Sequence[Answer]) -> dict[str, float]:
    """lm-eval's metrics, then those of packages."""
    found = asked.built.process_results(item.doc, list(results))
    metrics = {name: float(value) for name, value in found.items() if isinstance(value, int | float) or hasattr(value, "item")}
    if asked.planned.task.metrics:
        scored = _scored_item(item, tokens, results)
        metrics |= {metric.name: compute_metric(metric, scored, _where(item)) for metric in asked.planned.task.metrics}
    return metrics


def _statistics(asked: TaskItems, item: Item, tokens: Sequence[int], results: Sequence[Answer]) -> dict[str, list[float]]:
    """Metric of the corpus -> what the item adds to its sums."""
    found = [metric for metric in asked.planned.task.metrics if metric.corpus is not None]
    scored = _scored_item(item, tokens, results) if found else None
    return {metric.name: corpus_statistics(metric, scored, _where(item)) for metric in found if scored is not None}


def _scored_item(item: Item, tokens: Sequence[int], results: Sequence[Answer]) -> ScoredItem:
    choices = tuple(continuation for _, continuation in item.requests)
    lls, greedy = zip(*results[: len(tokens)], strict=True)
    return ScoredItem(item.doc, choices, gold_choice(item.gold, choices), lls, greedy, tuple(tokens))


def _where(item: Item) -> str:
    return f"{item.task}/{item.language}, row {item.doc_id + 1}"
