"""Estimate of a judging, before anything is sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from lensbench.grading.judge.cache import Reply, ReplyCache
from lensbench.grading.judge.grade import known_reply
from lensbench.grading.judge.gradings import Grading
from lensbench.grading.judge.registry import Judge
from lensbench.grading.judge.spend import Usage, cost_usd
from lensbench.grading.judge.tokens import TokenCounter
from lensbench.jsonio import JsonObject

__all__ = ["Estimate", "estimate"]


@dataclass(frozen=True)
class Estimate:
    """Requests, tokens and money."""

    requests: int
    known: int
    """Requests whose reply is known already: they cost nothing."""
    prompt_tokens: int
    completion_tokens: int
    completion_from: str
    """Source of the length of a verdict."""
    tokenizer: str
    usd: float | None
    """At the judge's prices; None when it has none."""
    usd_at_most: float | None
    """Cost if every verdict has the maximum length."""
    seconds_at_least: float | None
    """Duration by the limits of the judge; None if it has no limits."""

    def as_dict(self) -> JsonObject:
        return asdict(self)


def estimate(
    judge: Judge,
    units: Sequence[tuple[Grading, int]],
    counter: TokenCounter,
    *,
    replies: Mapping[str, Reply],
    cache: ReplyCache | None,
    earlier: Iterable[Reply],
    batch: bool = False,
) -> Estimate:
    """Count the requests that would go out, each once, if every first verdict can be read.

    Args:
        replies: Known replies by request hash.
        earlier: Verdicts of this judge, which tell how long a verdict is.
    """
    new: dict[str, int] = {}
    known = 0
    for unit, attempt in units:
        messages = list(unit.messages)
        body = judge.body(messages)
        request = judge.request_hash(body, unit.repeat, attempt)
        if request in new:
            continue
        if known_reply(judge, body, unit.repeat, attempt, replies, cache) is not None:
            known += 1
            continue
        new[request] = counter.count(messages)
    lengths = [usage.completion_tokens for reply in earlier if (usage := Usage.read(reply.usage))]
    per_verdict = sum(lengths) / len(lengths) if lengths else min(judge.file.expected_output_tokens, judge.file.max_tokens)
    source = f"mean of {len(lengths)} verdicts of this judge" if lengths else "expected_output_tokens of the judge"
    prompt, completion = sum(new.values()), round(per_verdict * len(new))
    prices, limits = judge.file.prices, judge.file.limits
    minutes = [
        amount / limit
        for amount, limit in (
            (len(new), limits.requests_per_minute),
            (prompt + judge.file.max_tokens * len(new), limits.tokens_per_minute),
        )
        if limit
    ]
    return Estimate(
        requests=len(new),
        known=known,
        prompt_tokens=prompt,
        completion_tokens=completion,
        completion_from=source,
        tokenizer=counter.about,
        usd=cost_usd(Usage(prompt, completion), prices, batch=batch) if prices else None,
        usd_at_most=cost_usd(Usage(prompt, judge.file.max_tokens * len(new)), prices, batch=batch) if prices else None,
        seconds_at_least=60 * max(minutes) if minutes and not batch else None,
    )
