"""Grading many answers at a time: from the run's log, the cache, a replay file, or the server, in that order."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lensbench.errors import LensbenchError, UnavailableError
from lensbench.grading.judge.cache import Reply, ReplyCache
from lensbench.grading.judge.client import BudgetExhausted, JudgeClient, Refused, RequestFailed
from lensbench.grading.judge.gradings import Grading
from lensbench.grading.judge.journal import Journal
from lensbench.grading.judge.pace import Pace
from lensbench.grading.judge.registry import Judge, same_model
from lensbench.grading.judge.spend import Budget
from lensbench.grading.judge.tokens import ceiling
from lensbench.grading.judge.verdict import Rating, read_rating
from lensbench.jsonio import JsonObject
from lensbench.records import RecordLog, UngradedRecord, VerdictRecord

__all__ = ["Graded", "Judging", "known_reply", "outcome", "pending"]

_HOPELESS = 5
"""So many requests in a row without one success: the address or the model is wrong, and the rest would fail the same way."""


@dataclass
class Graded:
    """Results of a judging."""

    states: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    """Replies that were paid for now."""
    from_cache: int = 0
    stopped_by_cap: int = 0
    """Answers left ungraded because the money cap was reached."""
    usd: float | None = None
    unknown_cost: int = 0
    """Requests whose cost is not known, counted with the most they can have cost."""
    cut: int = 0
    """Replies that ended at `max_tokens` before their rating."""
    injections: int = 0
    """Rated answers that address the judge."""
    other_models: Counter[str] = field(default_factory=Counter)
    """Replies by the model they name, where that is not the one asked for."""


def pending(judge: Judge, units: Iterable[Grading], log: Mapping[str, VerdictRecord]) -> list[tuple[Grading, int]]:
    """The units without a final verdict, each with the number of its next try."""
    found = []
    for unit in units:
        for attempt in range(judge.file.rating.tries):
            record = log.get(unit.key(judge, attempt))
            if record is None:
                found.append((unit, attempt))
                break
            if record.state == "ok":
                break
    return found


def outcome(judge: Judge, reply: Reply, said: Sequence[str] = ()) -> Rating:
    """State and rating of a reply, and what kept one from being read.

    Args:
        said: The answers that the judge read.
    """
    if reply.refusal or reply.finish == "content_filter":
        return Rating("refused", None, reply.refusal or "stopped by a content filter")
    scale, cut = judge.file.rating, reply.finish == "length"
    if not reply.text.strip() and reply.reasoning:
        found = Rating("only_reasoning", None, "the server sent reasoning and no text")
    else:
        found = read_rating(reply.text, scale.low, scale.high, rule=judge.file.verdict, answers=said)
    if cut and found.state in ("only_reasoning", "unparsable"):
        state = "only_reasoning" if found.state == "only_reasoning" else "cut"
        return Rating(state, None, f"cut at max_tokens ({judge.file.max_tokens}): raise `max_tokens` of the judge")
    return found


def known_reply(
    judge: Judge, body: Mapping[str, Any], repeat: int, attempt: int, replies: Mapping[str, Reply], cache: ReplyCache | None
) -> Reply | None:
    """A reply that was paid for before: in this run, in a replay file, or in the cache; under today's hash, or that of before."""
    hashes = [judge.request_hash(body, repeat, attempt)]
    if judge.base_url != judge.identity:
        hashes.append(judge.request_hash(body, repeat, attempt, by_address=True))
    for request in hashes:
        found = replies.get(request) or (cache.get(request) if cache is not None else None)
        if found is not None:
            return found
    return None


class Judging:
    """Grades the pending units of a run and writes each verdict as soon as it exists.

    Args:
        log: Verdicts, one record a try.
        failures: Units that got no reply; they are tried again by the next judging.
        replies: Replies known already, by request hash (the run's own, and a replay file's).
        cache: Shared with other runs; None neither reads nor writes it.
        offline: Ask nobody: a unit whose reply is not known is counted as `not_replayed`.
        advance: Called for every unit that is settled.
        journal: Written to before a request goes out, and when its reply comes.
        has_graded: The judge has graded before: when nothing succeeds now, that says nothing about its address.
    """

    def __init__(
        self,
        judge: Judge,
        budget: Budget,
        log: RecordLog,
        failures: RecordLog,
        *,
        replies: dict[str, Reply],
        cache: ReplyCache | None,
        offline: bool = False,
        advance: Callable[[int, str], None] = lambda n, note: None,
        count: Callable[[Sequence[dict[str, str]]], int] = ceiling,
        has_graded: bool = False,
        journal: Journal | None = None,
    ) -> None:
        self._judge, self._budget, self._log, self._failures = judge, budget, log, failures
        self._journal = journal
        self._replies, self._cache, self._offline, self._advance, self._count = replies, cache, offline, advance, count
        self._asking: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._failed_in_a_row = 0
        self._succeeded = has_graded
        self.done = Graded()

    async def run(self, units: Sequence[tuple[Grading, int]]) -> Graded:
        """Grade them all.

        Raises:
            UnavailableError: the judge cannot be asked at all (key, model, address); verdicts so far are in the log.
        """
        queue = deque(units)
        client = None if self._offline else JudgeClient(self._judge, self._budget, Pace(self._judge.file.limits))
        errors: list[LensbenchError] = []
        workers: list[asyncio.Task[None]] = []

        async def work() -> None:
            while queue:
                try:
                    await self._unit(client, *queue.popleft())
                except LensbenchError as error:
                    errors.append(error)
                    queue.clear()
                    if client is not None:
                        client.halt(workers)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(self._judge.file.limits.concurrency, len(queue))):
                    workers.append(group.create_task(work()))
        finally:
            self.done.usd = self._budget.spent_usd if self._budget.prices else None
            self.done.unknown_cost = self._budget.unknown
            if client is not None:
                await client.close()
        if errors:
            raise errors[0]
        return self.done

    async def _unit(self, client: JudgeClient | None, unit: Grading, attempt: int) -> None:
        state = "failed"
        for number in range(attempt, self._judge.file.rating.tries):
            body = self._judge.body(list(unit.messages))
            request = self._judge.request_hash(body, unit.repeat, number)
            try:
                reply, known = await self._reply(client, request, body, unit, number)
            except BudgetExhausted:
                self.done.stopped_by_cap += 1
                return
            except (Refused, RequestFailed) as error:
                state = "rejected" if isinstance(error, Refused) else "failed"
                self._note_failure(unit, number, request, state, str(error))
                break
            if reply is None:
                state = "not_replayed"
                self._note_failure(unit, number, request, state, "the replay file does not hold this request")
                break
            self._succeeded = True
            rating = outcome(self._judge, reply, unit.said)
            state = rating.state
            self._log.append([self._record(unit, number, request, rating, reply, known)])
            self._note(unit, reply, rating)
            if self._cache is not None and not known:
                # After the log: a cache folder that cannot be written must not cost a reply that was paid for.
                self._cache.put(request, reply)
            if state == "ok":
                break
        self.done.states[state] += 1
        spent = f"${self._budget.spent_usd:.2f}" if self._budget.prices else ""
        self._advance(1, spent)

    async def _reply(
        self, client: JudgeClient | None, request: str, body: JsonObject, unit: Grading, number: int
    ) -> tuple[Reply | None, bool]:
        """The reply to a request, and whether it was known. Two units with one request ask once."""
        async with self._asking[request]:
            known = known_reply(self._judge, body, unit.repeat, number, self._replies, self._cache)
            if known is not None:
                self._replies[request] = known
                self.done.from_cache += 1
                return known, True
            if client is None:
                return None, False
            messages = list(unit.messages)
            entry = self._journal.entry(request) if self._journal is not None else None
            reply = await client.ask(body, self._count(messages), ceiling(messages), journal=entry)
            self.done.requests += 1
            self._replies[request] = reply
            return reply, False

    def _note_failure(self, unit: Grading, number: int, request: str, state: str, reason: str) -> None:
        key = f"{unit.key(self._judge, number)}:{len(self._failures)}"
        self._failures.append([UngradedRecord(key=key, state=state, reason=reason, **_about(self._judge, unit, number, request))])
        if not self._succeeded and state != "not_replayed":
            self._failed_in_a_row += 1
            if self._failed_in_a_row >= _HOPELESS:
                raise UnavailableError(
                    f"the first {_HOPELESS} requests to judge '{self._judge.name}' all failed; the last one: {reason}",
                    "Answers are kept. Check ``base_url`` and ``model``, then run the same command again.",
                )

    def _note(self, unit: Grading, reply: Reply, rating: Rating) -> None:
        """Count what is said beside the ratings."""
        self.done.cut += reply.finish == "length" and rating.state in ("cut", "only_reasoning")
        if unit.injection and rating.state == "ok":
            self.done.injections += 1
        if reply.model is not None and not same_model(self._judge.model, reply.model):
            self.done.other_models[reply.model] += 1

    def _record(self, unit: Grading, number: int, request: str, rating: Rating, reply: Reply, known: bool) -> VerdictRecord:
        return VerdictRecord(
            key=unit.key(self._judge, number),
            state=rating.state,
            rating=rating.value,
            why=rating.why or None,
            injection=unit.injection,
            reply=reply.as_dict(),
            from_cache=known,
            **_about(self._judge, unit, number, request),
        )


def _about(judge: Judge, unit: Grading, number: int, request: str) -> JsonObject:
    """Fields that the records of a verdict and of a failure share."""
    return {
        "answer": unit.answer,
        "item": unit.item,
        "variant": unit.variant,
        "task": unit.task,
        "language": unit.language,
        "profile": unit.profile,
        "category": unit.category,
        "turn": unit.turn,
        "repeat": unit.repeat,
        "attempt": number,
        "judge": judge.signature,
        "prompt": judge.prompts.name(unit.form),
        "prompt_hash": judge.prompts.hash(unit.form),
        "reference_from": unit.reference_from,
        "request": request,
    }
