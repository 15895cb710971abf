"""Scores in the store of finished work: the engine's log-likelihoods, of which a run makes its own records."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence, Set
from typing import Any

from lensbench.backbones.lazy import LazyBackbone
from lensbench.engines.protocol import Answer, ScoringRequests
from lensbench.plan.task_items import TaskItems
from lensbench.records import RecordLog
from lensbench.records.log import read_objects
from lensbench.reuse import key_of_content
from lensbench.stages.reuse import Reuse
from lensbench.stages.variants import Variant

__all__ = ["keep_noise", "keep_scores", "known_noise", "known_scores"]

_KIND = "scores"


def known_scores(
    reuse: Reuse, model: LazyBackbone, variant: Variant, asked: TaskItems, requests: ScoringRequests
) -> Mapping[str, list[Answer]] | None:
    """By the id of each item, the answers to its requests; None if they are not known.

    Args:
        requests: Of the task, which say how many answers belong to an item.
    """
    key = _key(reuse, model, variant, asked)
    content = reuse.store.get(_KIND, key) if key is not None else None
    if key is None or content is None:
        return None
    try:
        if len(content) != len(asked.items):
            raise ValueError
        found = {item.id: [_answer(*pair) for pair in pairs] for item, pairs in zip(asked.items, content, strict=True)}
        if any(len(found[item]) != len(own) for item, own in requests.items.items()):
            raise ValueError
    except (TypeError, ValueError):
        reuse.store.report_damage(_KIND, key, "it does not hold one score for each request")
        return None
    return found


def _answer(loglikelihood: Any, greedy: Any) -> Answer:
    if not isinstance(greedy, bool) or not isinstance(loglikelihood, float | int | None) or isinstance(loglikelihood, bool):
        raise ValueError
    return math.nan if loglikelihood is None else float(loglikelihood), greedy


def keep_scores(
    reuse: Reuse,
    model: LazyBackbone,
    variants: Sequence[Variant],
    tasks: Sequence[TaskItems],
    log: RecordLog,
    keys: Mapping[tuple[str, str], Mapping[str, str]],
    before: Set[str],
) -> None:
    """Put every task that is finished under a variant into the store.

    Args:
        keys: By task and variant: the key of each item's record, by the item's id.
        before: Keys of records that an earlier start of the run wrote.
    """
    entries = {}
    for asked in tasks:
        for variant in variants:
            key = _key(reuse, model, variant, asked)
            own = keys[asked.name, variant.name]
            whole = all(k in log and (reuse.whole or k not in before) for k in own.values())
            if key is not None and whole and own and not reuse.store.has(_KIND, key):
                entries[key] = [own[item.id] for item in asked.items]
    wanted = {key for records in entries.values() for key in records}
    if not wanted:
        return
    found = {record["key"]: _pairs(record) for _, record in read_objects(log.path) if record["key"] in wanted}
    for key, records in entries.items():
        if all(one in found for one in records):
            reuse.store.put(_KIND, key, [found[one] for one in records], backbone=reuse.backbone, count=len(records))


def _pairs(record: Mapping[str, Any]) -> list[list[Any]]:
    pairs = zip(record["loglikelihoods"], record.get("greedy", ()), strict=True)
    return [*map(list, pairs), *map(list, record.get("unconditional", ()))]


def _key(reuse: Reuse, model: LazyBackbone, variant: Variant, asked: TaskItems) -> str | None:
    parts = reuse.parts(model, variant)
    if parts is None:
        return None
    task = asked.planned.task
    return key_of_content([_KIND, parts, task.profile.scoring, task.language.code, reuse.questions(asked)])


def known_noise(
    reuse: Reuse, model: LazyBackbone, variants: Sequence[Variant], samples: Sequence[ScoringRequests], *, merged: bool
) -> float | None:
    """The noise of an engine, as an earlier run measured it.

    Args:
        merged: Whether it is measured also under variants that only change weights.
    """
    key = _noise_key(reuse, model, variants, samples, merged)
    noise = reuse.store.get("noise", key) if key is not None else None
    return noise if isinstance(noise, float) and math.isfinite(noise) else None


def keep_noise(
    reuse: Reuse,
    model: LazyBackbone,
    variants: Sequence[Variant],
    samples: Sequence[ScoringRequests],
    noise: float,
    *,
    merged: bool,
) -> None:
    """Put a measured noise into the store. See `known_noise`."""
    key = _noise_key(reuse, model, variants, samples, merged)
    if key is not None:
        reuse.store.put("noise", key, noise, backbone=reuse.backbone, count=1)


def _noise_key(
    reuse: Reuse, model: LazyBackbone, variants: Sequence[Variant], samples: Sequence[ScoringRequests], merged: bool
) -> str | None:
    heard = [v for v in variants if merged or v.enhancement is None or not v.enhancement.mergeable]
    parts = [reuse.parts(model, variant) for variant in heard]
    if None in parts or not heard:
        return None
    asked = [[sample.language, list(sample.items.values())] for sample in samples]
    return key_of_content(["noise", sorted(map(key_of_content, parts)), asked])
