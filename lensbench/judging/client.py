"""One request to an OpenAI-compatible server, and what each failure of it means."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Iterable
from typing import Any

import tenacity
from openai import APIConnectionError, APIResponseValidationError, APIStatusError, APITimeoutError, AsyncOpenAI

from lensbench.errors import UnavailableError
from lensbench.judging.cache import Reply
from lensbench.judging.pace import BudgetExhausted, Pace
from lensbench.judging.registry import Judge
from lensbench.judging.spend import Budget, Usage, cost_usd

__all__ = [
    "BudgetExhausted", "JudgeClient", "Refused", "RequestFailed", "api_key", "error_detail", "fatal_error",
    "readable_message",
]  # fmt: skip

_NOT_BILLED = frozenset({400, 401, 403, 404, 408, 409, 413, 422, 429, 500, 502, 503, 504})
"""Statuses with which a request certainly brought no reply that is billed."""


_STRANGE = 5
"""So many replies that are no chat completions, and none that is: the address is that of something else."""


class Refused(Exception):
    """The server will not take this request however often it is sent (too long, say)."""


class RequestFailed(Exception):
    """All attempts failed; the last reason is the message."""


class _Again(Exception):
    """An attempt failed in a way that another one may not."""

    def __init__(self, reason: str, wait_seconds: float | None = None, *, billed: bool = False) -> None:
        super().__init__(reason)
        self.wait_seconds = wait_seconds
        self.billed = billed
        """Whether the server may have answered, and charged, without the reply arriving."""


class JudgeClient:
    """Asks a judge.

    Args:
        judge: Whom.
        budget: Told of every request before it goes out and after it came back.
        pace: Shared by all requests.
    """

    def __init__(self, judge: Judge, budget: Budget, pace: Pace) -> None:
        self._judge, self._budget, self._pace = judge, budget, pace
        self._reached = self._understood = self._halted = False
        self._strange = 0
        self._on_wire: set[asyncio.Task[Any] | None] = set()
        endpoint = judge.file.endpoint
        # One retry policy: ours, since each attempt passes the rate limits and the budget.
        self._openai = AsyncOpenAI(
            api_key=api_key(judge), base_url=endpoint.base_url, max_retries=0, timeout=endpoint.timeout_seconds
        )

    async def close(self) -> None:
        await self._openai.close()

    def halt(self, workers: Iterable[asyncio.Task[None]]) -> None:
        """Send nothing more. Requests on their way are paid for, so they are waited for; workers that only wait are cancelled."""
        self._halted = True
        for worker in workers:
            if worker not in self._on_wire and worker is not asyncio.current_task():
                worker.cancel()

    async def ask(self, body: dict[str, Any], prompt_tokens: int, ceiling_tokens: int) -> Reply:
        """The reply to one request, after as many attempts as the judge allows.

        Args:
            body: The request.
            prompt_tokens: Estimate, for the rate limits.
            ceiling_tokens: What the prompt can be at most, for the budget.

        Raises:
            UnavailableError: no other request would fare better (key, model, address, money of the account).
            BudgetExhausted: the cap does not allow this request.
            Refused: this request is not taken.
            RequestFailed: attempts are used up.
        """
        retry = self._judge.file.retry
        backoff = tenacity.wait_exponential_jitter(initial=retry.first_wait_seconds, max=retry.longest_wait_seconds)

        def wait(state: tenacity.RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome else None
            asked = error.wait_seconds if isinstance(error, _Again) else None
            if asked is None:
                return float(backoff(state))
            # The server speaks to all of us: nobody sends before it allows.
            self._pace.hold(asked)
            return asked

        started, attempts = time.perf_counter(), 0
        try:
            async for attempt in tenacity.AsyncRetrying(
                stop=lambda state: self._halted or state.attempt_number >= retry.attempts,
                retry=tenacity.retry_if_exception_type(_Again),
                wait=wait,
                sleep=asyncio.sleep,
                reraise=True,
            ):
                with attempt:
                    attempts += 1
                    content = await self._attempt(body, prompt_tokens, ceiling_tokens)
        except _Again as error:
            raise RequestFailed(f"{error} (after {attempts} attempts)") from None
        message = content["choices"][0]["message"]
        return Reply(
            text=message.get("content") or "",
            model=content.get("model"),
            fingerprint=content.get("system_fingerprint"),
            usage=content.get("usage"),
            finish=content["choices"][0].get("finish_reason"),
            refusal=message.get("refusal"),
            seconds=round(time.perf_counter() - started, 3),
            attempts=attempts,
        )

    async def _attempt(self, body: dict[str, Any], prompt_tokens: int, ceiling_tokens: int) -> dict[str, Any]:
        max_tokens = int(body[self._judge.file.token_parameter])
        if self._halted:
            raise asyncio.CancelledError
        reserved = self._budget.most(ceiling_tokens, max_tokens)
        await self._pace.turn(prompt_tokens + max_tokens, lambda: self._budget.fits(reserved), self._budget)
        self._budget.reserve(reserved)
        self._on_wire.add(asyncio.current_task())
        try:
            content = await self._send(body)
        except _Again as error:
            if error.billed:
                self._budget.settle_unknown(reserved)
            else:
                self._budget.settle(reserved, 0.0)
            raise
        except BaseException:
            self._budget.settle(reserved, 0.0)
            raise
        finally:
            self._on_wire.discard(asyncio.current_task())
        usage = Usage.read(content.get("usage"))
        if usage is None:
            self._budget.settle_unknown(reserved)
        else:
            prices = self._judge.file.prices
            self._budget.settle(reserved, cost_usd(usage, prices) if prices else 0.0)
        return content

    async def _send(self, body: dict[str, Any]) -> dict[str, Any]:
        try:
            raw = await self._openai.chat.completions.with_raw_response.create(**body)
            self._reached = True
            content = json.loads(await _text(raw))
            readable_message(content)
            self._understood = True
        except APITimeoutError:
            raise _Again("no reply in time", billed=True) from None
        except APIConnectionError as error:
            cause = error.__cause__
            never_sent = "Connect" in type(cause).__name__
            if never_sent and not self._reached:
                raise UnavailableError(
                    f"no judge can be reached at {self._openai.base_url} ({cause})", "Check --base-url, and that the server runs."
                ) from None
            reason = f"the connection failed ({type(cause).__name__ if cause else error})"
            raise _Again(reason, billed=not never_sent) from None
        except APIStatusError as error:
            self._reached = True
            fatal = fatal_error(self._judge, error)
            if fatal is not None:
                raise fatal from None
            detail = f"{error.status_code}: {error_detail(self._judge, error)}"
            if error.status_code in (408, 409, 429) or error.status_code >= 500:
                again = _Again(detail, _retry_after(error), billed=error.status_code not in _NOT_BILLED)
                raise again from None
            raise Refused(detail) from None
        except (ValueError, KeyError, IndexError, TypeError, AttributeError, APIResponseValidationError) as error:
            self._strange += 1
            if self._strange >= _STRANGE and not self._understood:
                raise UnavailableError(
                    f"{self._openai.base_url} replies, and not with chat completions ({type(error).__name__})",
                    "Check --base-url (most servers want it to end in /v1). Answers are kept.",
                ) from None
            raise _Again(f"the reply is not a chat completion ({type(error).__name__})", billed=True) from None
        assert isinstance(content, dict)
        return content


def api_key(judge: Judge) -> str:
    """The key, from the environment.

    Raises:
        UnavailableError: it is not there and the judge needs one.
    """
    endpoint = judge.file.endpoint
    key = os.environ.get(endpoint.key_env, "").strip()
    if key:
        return key
    if endpoint.key_needed:
        raise UnavailableError(
            f"judge '{judge.name}' needs a key in the environment variable {endpoint.key_env}",
            f"export {endpoint.key_env}=... ; or --replay FILE judges from stored verdicts without one.",
        )
    return "none"


def fatal_error(judge: Judge, error: APIStatusError) -> UnavailableError | None:
    """What to tell the user when no other request would fare better; None for a failure of this request alone."""
    where = judge.base_url or "the provider"
    detail = error_detail(judge, error)
    if error.status_code in (401, 403):
        return UnavailableError(
            f"{where} does not accept the key in {judge.file.endpoint.key_env} ({error.status_code}: {detail})",
            "Answers and verdicts so far are kept; give the same command again with a valid key.",
        )
    if error.status_code == 404:
        return UnavailableError(
            f"{where} has no model '{judge.model}' or is no OpenAI-compatible address (404: {detail})",
            "Check --model and --base-url (most servers want it to end in /v1).",
        )
    if error.status_code == 429 and error.code in ("insufficient_quota", "billing_hard_limit_reached"):
        return UnavailableError(f"the account at {where} has no money left (429: {detail})", "Verdicts so far are kept.")
    return None


async def _text(raw: Any) -> str:
    text = raw.text
    return str(await text() if asyncio.iscoroutinefunction(text) else text() if callable(text) else text)


def _retry_after(error: APIStatusError) -> float | None:
    """Seconds the server asks to wait; None when it does not say so in a number."""
    for header, unit in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        try:
            seconds = float(error.response.headers.get(header, "")) * unit
        except ValueError:
            continue
        if 0 <= seconds <= 600:
            return seconds
    return None


def error_detail(judge: Judge, error: APIStatusError) -> str:
    """What the server says; the client keeps a message only where the provider's own shape of errors is used."""
    said = error.message if error.message != f"Error code: {error.status_code}" else error.response.text
    return _short(judge, said or error.response.reason_phrase)


def readable_message(content: Any) -> dict[str, Any]:
    """The message of a chat completion.

    Raises:
        KeyError, IndexError, TypeError, AttributeError: it is none.
    """
    message: dict[str, Any] = content["choices"][0]["message"]
    if not isinstance(message.get("content"), str | None):
        raise TypeError("its text is no text")
    return message


def _short(judge: Judge, text: str) -> str:
    """A server's message on one line. Some repeat the key they were given; it is left out."""
    key = os.environ.get(judge.file.endpoint.key_env, "").strip()
    line = " ".join((str(text).replace(key, "(the key)") if key else str(text)).split())
    return line if len(line) <= 200 else line[:200] + " ..."
