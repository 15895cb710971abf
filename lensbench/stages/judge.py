"""The judging stage: reads answers, writes verdicts. It needs no model, and can be stopped and resumed alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lensbench.cache import cache_dir
from lensbench.errors import RunError, UsageError
from lensbench.eventloop import run_to_end
from lensbench.grading.judge.batch import BatchClient
from lensbench.grading.judge.cache import Reply, ReplyCache, read_replay
from lensbench.grading.judge.estimate import Estimate, estimate
from lensbench.grading.judge.grade import Graded, Judging, known_reply, pending
from lensbench.grading.judge.gradings import Grading, gradings
from lensbench.grading.judge.journal import NAME as JOURNAL
from lensbench.grading.judge.journal import Journal, Left, read_journal
from lensbench.grading.judge.registry import Judge, shown_url
from lensbench.grading.judge.spend import Budget, Usage, cost_usd
from lensbench.grading.judge.tokens import ceiling, token_counter
from lensbench.jsonio import JsonObject
from lensbench.methods.base import Progress
from lensbench.records import AnswerRecord, RunFolder, TaskKey, VerdictRecord
from lensbench.records.run_languages import add_run_languages

_STARTS = "judging.json"

__all__ = ["JudgeRequest", "estimate_judging", "judge_stage"]


@dataclass(frozen=True)
class JudgeRequest:
    """Settings for judging a run."""

    judge: Judge
    tasks: tuple[str, ...] | None = None
    """Names; None takes every task whose profile is judged, or where there is none, every task with answers."""
    repeats: int = 1
    max_usd: float | None = None
    batch: bool = False
    replay: Path | None = None
    """Stored verdicts; nobody is asked."""
    use_cache: bool = True
    poll_seconds: float = 30.0


def estimate_judging(folder: RunFolder, request: JudgeRequest) -> Estimate:
    """What judging would take.

    Raises:
        UsageError: the run has no answers to grade.
    """
    log = _verdicts(folder)
    replies = _known(log)
    units = pending(request.judge, _units(folder, request), log)
    earlier = [Reply.from_dict(r.reply) for r in log.values() if r.judge == request.judge.signature]
    counter = token_counter(request.judge.file.tokenizer)
    return estimate(request.judge, units, counter, replies=replies, cache=_cache(request), earlier=earlier, batch=request.batch)


def judge_stage(folder: RunFolder, request: JudgeRequest, progress: Progress) -> Graded:
    """Grade what has no final verdict yet.

    Raises:
        UsageError: nothing to grade, or `max_usd` without prices.
        UnavailableError: no key, or the judge cannot be asked; verdicts so far are kept.
        RunError: a batch failed.
    """
    judge = request.judge
    log = _verdicts(folder)
    left = read_journal(folder.own(JOURNAL))
    replies = {**left.replies, **_known(log)}
    if request.replay is not None:
        replies |= read_replay(request.replay)
    _settle_killed(folder, left)
    units = pending(judge, _units(folder, request), log)
    budget = Budget(judge.file.prices, request.max_usd)
    if not units:
        progress.notify(f"judge {judge.name}: every answer has its verdict")
        return Graded(usd=0.0 if judge.file.prices else None)
    progress.notify(f"judge {judge.name}: {judge.model}, {len(units)} answers to grade")
    count = token_counter(judge.file.tokenizer).count if judge.file.limits.tokens_per_minute else (lambda messages: 0)
    begun = _begin(folder, judge)
    journal = None if request.replay is not None else Journal(folder.own(JOURNAL))
    with folder.log("verdicts") as verdicts, folder.log("ungraded") as failures:
        batches = BatchClient(judge, folder, poll_seconds=request.poll_seconds) if request.batch and not request.replay else None
        fetched = _through_batches(batches, request, units, replies, budget, progress) if batches else []
        with progress.stage(f"judge · {judge.name}", len(units)) as advance:
            judging = Judging(
                judge,
                budget,
                verdicts,
                failures,
                replies=replies,
                cache=_cache(request),
                offline=request.replay is not None,
                advance=advance,
                count=count,
                has_graded=any(record.judge == judge.signature for record in log.values()),
                journal=journal,
            )
            try:
                run_to_end(judging.run(units))
            finally:
                # Also when it was stopped: the money is spent.
                _end(folder, begun, judging.done)
                if journal is not None:
                    journal.close({record.request for record in folder.records(VerdictRecord) if record.request is not None})
        if batches:
            # Only now: until its verdicts are in the log, a batch can be fetched again.
            for batch in fetched:
                batches.mark_collected(batch)
    return judging.done


def _through_batches(
    client: BatchClient,
    request: JudgeRequest,
    units: Sequence[tuple[Grading, int]],
    replies: dict[str, Reply],
    budget: Budget,
    progress: Progress,
) -> list[str]:
    """Get the replies that are not known by the batch API; what a batch fails to bring is asked for one by one afterwards.

    Returns:
        The batches whose replies are now among the known ones.
    """
    judge, cache = request.judge, _cache(request)
    fetched: list[str] = []
    failed: set[str] = set()
    factor = judge.file.prices.batch_factor if judge.file.prices else 1.0
    asked: dict[str, tuple[JsonObject, Grading, int]] = {}
    for unit, attempt in units:
        body = judge.body(list(unit.messages))
        asked.setdefault(judge.request_hash(body, unit.repeat, attempt), (body, unit, attempt))

    def most(key: str) -> float:
        found = asked.get(key)
        return 0.0 if found is None else budget.most(ceiling(list(found[1].messages)), judge.file.max_tokens) * factor

    def collect(batch: str) -> None:
        with progress.stage(f"batch {batch}", 1) as advance:
            seen = [0]

            def look(done: int, total: int) -> None:
                advance(0, f"{done} of {total}")
                seen[0] = done

            result = client.wait(batch, look)
            advance(1, f"{len(result.replies)} replies, {len(result.failures)} failures")
        fetched.append(batch)
        failed.update(result.failures)
        for key, reply in result.replies.items():
            if key in replies:
                continue
            replies[key] = reply
            if cache is not None:
                cache.put(key, reply)
            usage = Usage.read(reply.usage)
            sizes = _sizes(asked.get(key), reply)
            if usage is None or not usage.believable(*sizes, judge.file.max_tokens):
                budget.settle_unknown(most(key))
            elif judge.file.prices is not None:
                budget.settle(0.0, cost_usd(usage, judge.file.prices, batch=True))
        for key in result.maybe_billed - set(replies):
            budget.settle_unknown(most(key))

    for batch in client.open_batches():
        progress.notify(f"continuing with batch {batch}")
        collect(batch)
    bodies: dict[str, JsonObject] = {}
    worst = 0.0
    for key, (body, unit, attempt) in asked.items():
        if key in failed or known_reply(judge, body, unit.repeat, attempt, replies, cache) is not None:
            continue
        bodies[key] = body
        worst += most(key)
    if not bodies:
        return fetched
    if not budget.fits(worst):
        raise RunError(
            f"a batch of {len(bodies)} requests could cost ${worst:.2f}, more than is left of ``max_usd={request.max_usd}``",
            "A running batch cannot be stopped. Raise ``max_usd``, or judge without ``batch``: requests then stop at the limit.",
        )
    collect(client.submit(bodies))
    return fetched


def _sizes(asked: tuple[JsonObject, Grading, int] | None, reply: Reply) -> tuple[int, int]:
    """Bytes of a prompt and of its reply; of a prompt that is not known any more, none."""
    messages = asked[1].messages if asked is not None else ()
    prompt = sum(len(message["content"].encode("utf-8", "replace")) for message in messages)
    return prompt, len(reply.text.encode("utf-8", "replace"))


def _units(folder: RunFolder, request: JudgeRequest) -> list[Grading]:
    add_run_languages(folder)
    about = folder.read_json("variants.json")["tasks"]
    answered = {record.task for record in folder.records(AnswerRecord)}
    judged = {TaskKey.parse(key).task for key, task in about.items() if task.get("judged")}
    # A judge that was asked for grades what there is, where no profile says what is to be graded.
    names = request.tasks if request.tasks is not None else tuple(sorted(judged & answered or answered))
    for name in names:
        if name not in answered:
            raise UsageError(
                f"the run has no answers to '{name}'", f"It has answers to: {', '.join(sorted(answered)) or 'nothing'}."
            )
    units = list(gradings(folder, request.judge, tasks=names, repeats=request.repeats))
    if not units:
        raise UsageError(f"{folder.path} has no answers to judge", "Run a task that generates answers first, such as mt_bench.")
    return units


def _verdicts(folder: RunFolder) -> dict[str, VerdictRecord]:
    return {record.key: record for record in folder.records(VerdictRecord)}


def _known(log: Mapping[str, VerdictRecord]) -> dict[str, Reply]:
    found = {}
    for record in log.values():
        try:
            if record.request is None:
                raise ValueError("it does not name its request")
            found[record.request] = Reply.from_dict(record.reply)
        except ValueError as error:
            raise RunError(
                f"items/verdicts.jsonl: record {record.key} is no verdict ({error})", "Delete that line; it is then graded again."
            ) from None
    return found


def _cache(request: JudgeRequest) -> ReplyCache | None:
    return ReplyCache(cache_dir() / "verdicts") if request.use_cache else None


def _begin(folder: RunFolder, judge: Judge) -> int:
    """Note a start before it asks anybody; never the key. A start that is killed stays without an end.

    Returns:
        Its place in `judging.json`.
    """
    entry = {
        "judge": judge.signature,
        "base_url": None if judge.base_url is None else shown_url(judge.base_url),
        "prices": judge.file.prices.model_dump(mode="json") if judge.file.prices else None,
        "ended": False,
    }
    earlier = _starts(folder)
    folder.write_json(_STARTS, [*earlier, entry])
    return len(earlier)


def _end(folder: RunFolder, begun: int, graded: Graded) -> None:
    """Record the requests and the cost of one start."""
    starts = _starts(folder)
    starts[begun] |= {
        "ended": True,
        "requests": graded.requests,
        "from_cache": graded.from_cache,
        "states": dict(graded.states),
        "stopped_by_cap": graded.stopped_by_cap,
        "usd": graded.usd,
        "unknown_cost": graded.unknown_cost,
        "injections": graded.injections,
        "other_models": dict(graded.other_models),
    }
    folder.write_json(_STARTS, starts)


def _settle_killed(folder: RunFolder, left: Left) -> None:
    """Count what a start that was killed did, from its journal."""
    starts = _starts(folder)
    if not starts or starts[-1].get("ended", True):
        return
    starts[-1] |= {
        "ended": "killed",
        "requests": left.requests,
        "lost": left.lost,
        "unknown_cost": left.lost,
        "usd": left.usd if starts[-1].get("prices") else None,
    }
    folder.write_json(_STARTS, starts)


def _starts(folder: RunFolder) -> list[JsonObject]:
    """What earlier starts noted.

    Raises:
        RunError: the file is not one of ours.
    """
    content = folder.read_json(_STARTS) if folder.has(_STARTS) else []
    if not isinstance(content, list) or not all(isinstance(entry, dict) for entry in content):
        raise RunError(
            f"{folder.path / _STARTS}: not a list of judgings", "Move the file away; the next judging writes a new one."
        )
    return content
