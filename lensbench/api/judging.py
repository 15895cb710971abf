"""Judging from Python: which judge, how often, at what cost."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lensbench.api.arguments import a_path, a_whole_number, known_arguments, names
from lensbench.errors import UsageError

if TYPE_CHECKING:
    from lensbench.grading.judge.estimate import Estimate
    from lensbench.plan.plan import Plan
    from lensbench.records import RunFolder
    from lensbench.stages.judge import JudgeRequest

__all__ = ["estimate_judging", "judge_of_run", "judge_request"]

_MOST_POLL_SECONDS = 86_400


def judge_request(
    judge: str | os.PathLike[str],
    *,
    model: str | None = None,
    base_url: str | None = None,
    tokenizer: str | None = None,
    tasks: Sequence[str] | None = None,
    repeats: int = 1,
    max_usd: float | None = None,
    batch: bool = False,
    poll_seconds: float = 30.0,
    replay: str | os.PathLike[str] | None = None,
    use_cache: bool = True,
    asks: bool = True,
) -> JudgeRequest:
    """How answers are to be judged; `Run.judge` documents the arguments.

    Args:
        asks: Whether the judge will be asked, so that its key must be there.

    Raises:
        UsageError: an unknown judge, a value out of range, a cap on money for a judge without prices.
        UnavailableError: the judge needs a key that is not set.
    """
    from lensbench.grading.judge import load_judge
    from lensbench.grading.judge.http import api_key, extra_headers
    from lensbench.grading.judge.spend import Budget
    from lensbench.stages.judge import JudgeRequest

    if not 0 < poll_seconds <= _MOST_POLL_SECONDS:
        raise UsageError(f"``poll_seconds`` must be above 0 and at most {_MOST_POLL_SECONDS}, found {poll_seconds:g}")
    found = load_judge(os.fspath(a_path("judge", judge)), model=model, base_url=base_url, tokenizer=tokenizer)
    if asks and replay is None:
        api_key(found)
        extra_headers(found)
    Budget(found.file.prices, max_usd)
    wanted = names("tasks", tasks, "mt_bench") if tasks is not None else None
    if wanted == ():
        raise UsageError("``tasks`` names no task", "Example: ``tasks=mt_bench``")
    return JudgeRequest(
        judge=found,
        tasks=wanted,
        repeats=a_whole_number("repeats", repeats, 1, 100),
        max_usd=max_usd,
        batch=batch,
        replay=None if replay is None else a_path("replay", replay),
        use_cache=use_cache,
        poll_seconds=poll_seconds,
    )


def judge_of_run(
    plan: Plan,
    judge: str | os.PathLike[str] | None,
    model: str | None,
    base_url: str | None,
    max_usd: float | None,
    *,
    asks: bool = True,
) -> JudgeRequest | None:
    """How a run that is planned judges its answers; None where it leaves them for later.

    Raises:
        UsageError: none of its tasks is judged; or as `judge_request`.
    """
    if judge is None:
        return None
    if not any(planned.task.profile.scoring == "judged" for planned in plan.tasks):
        raise UsageError("``judge``: none of the tasks is judged", "Name one with profile mt-bench: ``tasks=mt_bench``")
    return judge_request(judge, model=model, base_url=base_url, max_usd=max_usd, asks=asks)


def estimate_judging(run: Any, judge: str | os.PathLike[str], **choices: Any) -> Estimate:
    """Requests, tokens and money that judging a run would take; nobody is asked.

    Args:
        run: A `Run` or its folder.
        choices: As for `Run.judge`.

    Raises:
        UsageError: the run has no answers to grade; or as `Run.judge`.
    """
    from lensbench.stages.judge import estimate_judging as estimate

    known_arguments(choices, judge_request)
    return estimate(existing_folder(run), judge_request(judge, **choices, asks=False))


def existing_folder(run: Any, *, lenient: bool = False) -> RunFolder:
    """The folder of a run that is given as an object or a path.

    Raises:
        UsageError: there is no run.
    """
    from lensbench.records import RunFolder

    return RunFolder.existing(a_path("run", getattr(run, "folder", run)), lenient=lenient)
