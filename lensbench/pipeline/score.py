"""The scoring stage: log-likelihoods of every choice of every item, for all variants of a backbone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from lensbench.engine.lm import LensLM, TokenRequest
from lensbench.methods.base import Progress
from lensbench.pipeline.load_items import AskedTask
from lensbench.pipeline.variants import Variant, answer_key
from lensbench.store import RecordLog
from lensbench.tasks.build import Item

__all__ = ["score_stage"]


def score_stage(lm: LensLM, variants: Sequence[Variant], tasks: Sequence[AskedTask], log: RecordLog, progress: Progress) -> None:
    """Score what is not in the log yet.

    Batches are made from all items, also those in the log: what an item is batched with decides its padding, and so its last
    bits. A batch of which only a part is in the log is scored again, and its missing records are added.

    All variants are handed in together: an engine that shares layers between them has the same signature.
    """
    digests = {variant.name: variant.digest for variant in variants}
    for asked in tasks:
        scoring = asked.planned.task.profile.scoring
        language = asked.planned.task.language.code
        for variant in variants:
            keys = {i.id: answer_key(lm.loaded, digests[variant.name], i, scoring, None) for i in asked.items}
            todo = {item.id for item in asked.items if keys[item.id] not in log}
            if not todo:
                continue
            with progress.stage(f"{asked.name} · {variant.name}", len(todo)) as advance, variant.applied(lm.loaded, language):
                encoded = {item.id: _encode(lm, item, scoring) for item in asked.items}
                # Longest first: an out-of-memory comes at once, and the time left is over- rather than underestimated.
                ordered = sorted(
                    asked.items, key=lambda item: (-max(len(c) + len(t) for _, c, t in encoded[item.id]), item.doc_id)
                )
                for chunk in _chunks(ordered, encoded, lm.batch_size):
                    missing = sum(item.id in todo for item in chunk)
                    if not missing:
                        continue
                    flat = [request for item in chunk for request in encoded[item.id]]
                    answers = iter(lm.score_tokens(flat))
                    records = []
                    for item in chunk:
                        results = [next(answers) for _ in encoded[item.id]]
                        records.append(_record(asked.built, item, variant, keys[item.id], encoded[item.id], results, scoring))
                    log.append(records)
                    advance(missing)


def _encode(lm: LensLM, item: Item, scoring: str) -> list[TokenRequest]:
    return [lm.token_request(*request, first_token=scoring == "first_token") for request in item.requests]


def _chunks(items: list[Item], encoded: dict[str, list[TokenRequest]], batch_size: int) -> list[list[Item]]:
    """Items together until their distinct inputs fill a batch; an item is never divided."""
    chunks: list[list[Item]] = []
    held: list[Item] = []
    inputs: set[tuple[int, ...]] = set()
    for item in items:
        own = {tuple((context + target)[:-1]) for _, context, target in encoded[item.id]}
        if held and len(inputs | own) > batch_size:
            chunks.append(held)
            held, inputs = [], set()
        held.append(item)
        inputs |= own
    return [*chunks, held] if held else chunks


def _record(
    built: Any,
    item: Item,
    variant: Variant,
    key: str,
    encoded: list[TokenRequest],
    results: list[tuple[float, bool]],
    scoring: str,
) -> dict[str, Any]:
    """One line of the score log. A state other than "ok" carries no metric."""
    state = "ok"
    first_tokens = [tuple(target) for _, _, target in encoded]
    if not all(math.isfinite(ll) for ll, _ in results):
        state = "not_finite"
    elif scoring == "first_token" and len(set(first_tokens)) < len(first_tokens):
        # The tokenizer begins several option letters with one token: the arg-max could not tell them apart.
        state = "letters_collide"
    metrics: dict[str, float] = {}
    if state == "ok":
        found = built.process_results(item.doc, results)
        metrics = {
            name: float(value) for name, value in found.items() if isinstance(value, int | float) or hasattr(value, "item")
        }
    return {
        "key": key,
        "item": item.id,
        "variant": variant.name,
        "task": item.task,
        "language": item.language,
        "profile": item.profile,
        "state": state,
        "metrics": metrics,
        "loglikelihoods": [ll if math.isfinite(ll) else None for ll, _ in results],
        "greedy": [greedy for _, greedy in results],
        "tokens": [len(target) for _, _, target in encoded],
    }
