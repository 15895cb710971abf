"""One request to an OpenAI-compatible server, and what each failure of it means."""

from __future__ import annotations

import asyncio
import dataclasses
import re
import time
from collections.abc import Iterable
from typing import Any

import tenacity
from openai import APIConnectionError, APIResponseValidationError, APIStatusError, APITimeoutError

from lensbench.errors import DataError, UnavailableError
from lensbench.grading.judge.cache import Reply
from lensbench.grading.judge.completion import read_completion
from lensbench.grading.judge.http import Redirected, TooLarge, api_key, cause_of, hidden, open_client, parse_reply
from lensbench.grading.judge.journal import JournalEntry
from lensbench.grading.judge.pace import BudgetExhausted, Pace
from lensbench.grading.judge.registry import Judge, shown_url
from lensbench.grading.judge.spend import Budget, Usage, cost_usd
from lensbench.jsonio import JsonObject
from lensbench.printable import printable

__all__ = [
    "BudgetExhausted",
    "JudgeClient",
    "Refused",
    "RequestFailed",
    "api_key",
    "error_detail",
    "fatal_error",
    "hidden",
    "may_be_billed",
    "reply_text",
    "setting_hint",
]

_STRANGE = 5
"""So many replies that are no chat completions, and none that is: the address is that of something else."""


_REFUSES = re.compile(
    r"unsupported|not supported|does not support|not permitted|not allowed|unrecogni[sz]ed|unexpected"
    r"|unknown (?:parameter|argument|field)|extra (?:inputs|fields)"
)


def may_be_billed(status: int) -> bool:
    """Whether a request that ended with this status may have been answered, and charged, by what stands behind a gateway.

    A client error says that the request was not taken. 408 and 409, 425 and 499 say that something was under way, and a gateway's
    500 to 504 that it did not hear, or did not wait for, what its model wrote.
    """
    return status >= 500 or status in (408, 409, 425, 499)


class Refused(Exception):
    """The server will not take this request however often it is sent (too long, say)."""

    billed = False


class RequestFailed(Exception):
    """All attempts failed; the last reason is the message."""


class _Again(Exception):
    """An attempt failed in a way that another one may not."""

    def __init__(self, reason: str, wait_seconds: float | None = None, *, billed: bool = False) -> None:
        super().__init__(reason)
        self.wait_seconds = wait_seconds
        self.billed = billed
        """Whether the server may have answered, and charged, without the reply arriving."""


class _Fatal(Exception):
    """No other request would fare better."""

    def __init__(self, shown: UnavailableError, *, billed: bool) -> None:
        super().__init__(str(shown))
        self.shown, self.billed = shown, billed


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
        # One retry policy: ours, since each attempt passes the rate limits and the budget.
        self._openai = open_client(judge)

    async def close(self) -> None:
        await self._openai.close()

    def halt(self, workers: Iterable[asyncio.Task[None]]) -> None:
        """Send nothing more. Requests on their way are paid for, so they are waited for; workers that only wait are cancelled."""
        self._halted = True
        for worker in workers:
            if worker not in self._on_wire and worker is not asyncio.current_task():
                worker.cancel()

    async def ask(
        self, body: JsonObject, prompt_tokens: int, ceiling_tokens: int, *, journal: JournalEntry | None = None
    ) -> Reply:
        """The reply to one request, after as many attempts as the judge allows.

        Args:
            body: The request.
            prompt_tokens: Estimate, for the rate limits.
            ceiling_tokens: What the prompt can be at most, for the budget.
            journal: Told of every attempt before it goes out, and of its reply the moment it is there.

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
                    content = await self._attempt(body, prompt_tokens, ceiling_tokens, journal)
        except _Again as error:
            raise RequestFailed(f"{error} (after {attempts} attempts)") from None
        reply = read_completion(content)
        return dataclasses.replace(reply, seconds=round(time.perf_counter() - started, 3), attempts=attempts)

    async def _attempt(self, body: JsonObject, prompt_tokens: int, ceiling_tokens: int, journal: JournalEntry | None) -> Any:
        max_tokens = int(body[self._judge.file.token_parameter])
        if self._halted:
            raise asyncio.CancelledError
        reserved = self._budget.most(ceiling_tokens, max_tokens)
        await self._pace.turn(prompt_tokens + max_tokens, lambda: self._budget.fits(reserved), self._budget)
        self._budget.reserve(reserved)
        self._on_wire.add(asyncio.current_task())
        if journal is not None:
            journal.sent(reserved)
        spent = reserved
        try:
            content = await self._send(body)
        except (_Again, _Fatal, Refused) as error:
            spent = reserved if error.billed else 0.0
            if error.billed:
                self._budget.settle_unknown(reserved)
            else:
                self._budget.settle(reserved, 0.0)
            if journal is not None:
                journal.failed(spent)
            raise (error.shown if isinstance(error, _Fatal) else error) from None
        except BaseException:
            # Stopped while it was under way: whether it was answered is not known.
            self._budget.settle_unknown(reserved)
            raise
        finally:
            self._on_wire.discard(asyncio.current_task())
        usage = Usage.read(content.get("usage"))
        size = len(read_completion(content).text.encode("utf-8", "replace"))
        prices = self._judge.file.prices
        if usage is None or not usage.believable(_prompt_bytes(body), size, max_tokens):
            self._budget.settle_unknown(reserved)
        else:
            spent = cost_usd(usage, prices) if prices else 0.0
            self._budget.settle(reserved, spent)
        if journal is not None:
            journal.came(content, spent)
        return content

    async def _send(self, body: JsonObject) -> JsonObject:
        where = shown_url(self._judge.base_url)
        own = {key: value for key, value in body.items() if key not in ("model", "messages")}
        try:
            raw = await self._openai.chat.completions.with_raw_response.create(
                model=body["model"], messages=body["messages"], extra_body=own
            )
            self._reached = True
            content = parse_reply(self._judge, await reply_text(raw))
            read_completion(content)
            self._understood = True
        except APIConnectionError as error:
            raise self._unsent(error, where) from None
        except APIStatusError as error:
            self._reached = True
            billed = may_be_billed(error.status_code)
            fatal = fatal_error(self._judge, error)
            if fatal is not None:
                raise _Fatal(fatal, billed=billed) from None
            detail = f"{error.status_code}: {error_detail(self._judge, error)}"
            if error.status_code in (408, 409, 425, 429, 499) or error.status_code >= 500:
                raise _Again(detail, _retry_after(error), billed=billed) from None
            raise Refused(detail) from None
        except (ValueError, KeyError, IndexError, TypeError, AttributeError, DataError, APIResponseValidationError) as error:
            self._strange += 1
            reason = error.message if isinstance(error, DataError) else type(error).__name__
            if self._strange >= _STRANGE and not self._understood:
                shown = UnavailableError(
                    f"{where} does not reply with chat completions ({hidden(self._judge, reason)})",
                    "Check ``base_url`` (on most servers it ends in /v1). Answers are kept.",
                )
                raise _Fatal(shown, billed=True) from None
            raise _Again(f"the reply is not a chat completion ({hidden(self._judge, reason)})", billed=True) from None
        assert isinstance(content, dict)
        return content

    def _unsent(self, error: APIConnectionError, where: str) -> _Again | _Fatal:
        """Meaning of a request without a reply."""
        cause = cause_of(error)
        name = type(cause).__name__
        if isinstance(cause, Redirected):
            shown = UnavailableError(
                f"{where} redirects to {cause.target}; question and answer are not sent there",
                f"If that is your judge, give its address: ``base_url={cause.target}/v1``",
            )
            return _Fatal(shown, billed=False)
        if isinstance(cause, TooLarge):
            return _Again(f"the reply is too long ({cause})", billed=True)
        # Pool: it still waited for a connection. The address or a header cannot be sent at all: Unsupported, Local, InvalidURL.
        never_sent = any(part in name for part in ("Connect", "Pool", "Unsupported", "LocalProtocol", "InvalidURL"))
        if never_sent and not self._reached:
            shown = UnavailableError(
                f"no judge can be reached at {where} ({hidden(self._judge, str(cause))})",
                "Check ``base_url``, and that the server runs.",
            )
            return _Fatal(shown, billed=False)
        if isinstance(error, APITimeoutError) and not never_sent:
            return _Again(f"no whole reply within {self._judge.file.endpoint.timeout_seconds:g} s", billed=True)
        return _Again(f"the connection failed ({name})", billed=not never_sent)


def fatal_error(judge: Judge, error: APIStatusError) -> UnavailableError | None:
    """What to tell the user when no other request would fare better; None for a failure of this request alone."""
    where = shown_url(judge.base_url)
    detail = error_detail(judge, error)
    if error.status_code in (401, 403):
        return UnavailableError(
            f"{where} does not accept the key in {judge.file.endpoint.key_env} ({error.status_code}: {detail})",
            "Answers and verdicts so far are kept; run the same command again with a valid key.",
        )
    if error.status_code == 404:
        return UnavailableError(
            f"{where} has no model '{judge.model}' or is no OpenAI-compatible address (404: {detail})",
            "Check ``model`` and ``base_url`` (on most servers it ends in /v1).",
        )
    if error.status_code == 429 and error.code in ("insufficient_quota", "billing_hard_limit_reached"):
        return UnavailableError(f"the account at {where} has no money left (429: {detail})", "Verdicts so far are kept.")
    hint = setting_hint(judge, detail) if error.status_code in (400, 422) else None
    if hint is not None:
        return UnavailableError(
            f"{judge.model} does not accept a setting of judge '{judge.name}' ({error.status_code}: {detail})", hint
        )
    return None


def setting_hint(judge: Judge, said: str) -> str | None:
    """Which key of the judge's YAML to set, where a server refuses one of its settings; None where it refuses something else."""
    text = said.lower()
    refuses = _REFUSES.search(text)
    if refuses is None:
        return None
    where = f"in {judge.path}"
    if "max_completion_tokens" in text and judge.file.token_parameter == "max_tokens":
        return f"Set `token_parameter: max_completion_tokens` {where}."
    if re.search(r"\bmax_tokens\b", text) and judge.file.token_parameter == "max_completion_tokens":
        return f"Set `token_parameter: max_tokens` {where}."
    if "max_completion_tokens" in text or re.search(r"\bmax_tokens\b", text):
        return f"Set `token_parameter` {where} to the other of max_tokens and max_completion_tokens."
    if "temperature" in text and judge.file.temperature is not None:
        return f"Set `temperature: null` {where}; none is sent then."
    if ("reasoning_effort" in text or "reasoning.effort" in text) and judge.file.reasoning_effort is not None:
        return f"Change or remove `reasoning_effort` {where}."
    for key in judge.file.extra_body:
        if key.lower() in text:
            return f"Remove `{key}` from `extra_body` {where}."
    return None


def _prompt_bytes(body: JsonObject) -> int:
    return sum(len(message["content"].encode("utf-8", "replace")) for message in body["messages"])


async def reply_text(raw: Any) -> str:
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


def _short(judge: Judge, text: str) -> str:
    """A server's message on one line. Some repeat the key they were given; it is left out."""
    line = printable(" ".join(hidden(judge, str(text)[:4000]).split()), one_line=True)
    return line if len(line) <= 200 else line[:200] + " ..."
