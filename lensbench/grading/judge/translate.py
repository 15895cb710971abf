"""Texts translated by a judge's server: one request each, with rate limits, retries and spending limit; replies are cached."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from lensbench.cache import cache_dir
from lensbench.content import content_dir
from lensbench.errors import LensbenchError
from lensbench.eventloop import run_to_end
from lensbench.grading.judge.cache import Reply, ReplyCache
from lensbench.grading.judge.client import BudgetExhausted, JudgeClient, Refused, RequestFailed
from lensbench.grading.judge.grade import known_reply
from lensbench.grading.judge.pace import Pace
from lensbench.grading.judge.prompts import render_blocks
from lensbench.grading.judge.registry import Judge
from lensbench.grading.judge.spend import Budget
from lensbench.grading.judge.tokens import ceiling
from lensbench.languages import Language
from lensbench.reasoning import split_reasoning

__all__ = ["Translations", "translate_texts"]


@dataclass
class Translations:
    """Results for the texts; each text is in exactly one of the first three."""

    texts: dict[str, str] = field(default_factory=dict)
    """Text -> its translation."""
    unusable: dict[str, str] = field(default_factory=dict)
    """Text -> "empty", or how the server ended the reply ("ended by 'length'")."""
    failures: dict[str, str] = field(default_factory=dict)
    """Text -> why no reply came; the same command asks again."""
    replies: dict[str, Reply] = field(default_factory=dict)
    """Text -> the whole reply behind a translation."""
    cached: set[str] = field(default_factory=set)
    """Texts whose reply was there from an earlier start."""


def translate_texts(
    judge: Judge, budget: Budget, texts: Sequence[str], origin: Language, target: Language, on_text: Callable[[], None]
) -> Translations:
    """Translate texts; replies that can be used go into the cache that all judging shares.

    Args:
        texts: Each once.
        on_text: Called after each translation.

    Raises:
        UnavailableError: no request can succeed (key, model, address, money of the account).
    """
    return run_to_end(_translate(judge, budget, texts, origin, target, on_text))


async def _translate(
    judge: Judge, budget: Budget, texts: Sequence[str], origin: Language, target: Language, on_text: Callable[[], None]
) -> Translations:
    client = JudgeClient(judge, budget, Pace(judge.file.limits))
    cache = ReplyCache(cache_dir() / "verdicts")
    queue = deque(texts)
    found = Translations()

    async def work() -> None:
        while queue:
            text = queue.popleft()
            slots = {"text": text, "source": origin.name, "target": target.name}
            messages = render_blocks(content_dir("judges") / "prompts" / "translate.jinja", slots)
            body = judge.body(messages)
            request = judge.request_hash(body, 0, 0)
            reply = known_reply(judge, body, 0, 0, {}, cache)
            if reply is not None:
                found.cached.add(text)
            try:
                reply = reply or await client.ask(body, ceiling(messages), ceiling(messages))
            except BudgetExhausted:
                found.failures.update(dict.fromkeys([text, *queue], "the cap on the cost (max_usd) is reached"))
                queue.clear()
                continue
            except (Refused, RequestFailed) as error:
                # The others go on: what is translated is in the cache for the next start.
                found.failures[text] = str(error)
                continue
            parts = split_reasoning(reply.text)
            translation = _without_rules(parts.answer)
            if not translation or reply.finish not in (None, "stop"):
                empty = "all reasoning: raise `max_tokens` of the judge" if parts.only_reasoning else "empty"
                found.unusable[text] = empty if not translation else f"ended by '{reply.finish}'"
                continue
            cache.put(request, reply)
            found.texts[text], found.replies[text] = translation, reply
            on_text()

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(judge.file.limits.concurrency, len(queue))):
                group.create_task(work())
    except BaseExceptionGroup as errors:
        # `except*` would put what is raised there into a group again.
        ours = errors.subgroup(LensbenchError)
        if ours is None:
            raise
        raise _first(ours) from None
    finally:
        await client.close()
    return found


def _first(error: BaseException) -> BaseException:
    """The first error of a group, however deep it lies."""
    return _first(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error


def _without_rules(text: str) -> str:
    """A model at times repeats the lines of dashes between which its text stood."""
    lines = text.strip().splitlines()
    while lines and lines[0].strip().strip("-") == "":
        lines.pop(0)
    while lines and lines[-1].strip().strip("-") == "":
        lines.pop()
    return "\n".join(lines)
