"""The provider's batch API: requests go up as one file and come back within a day at a lower price.

A batch is written down in the run folder as soon as it was created, so that a judging that was stopped goes on waiting for it and
pays nothing twice.
"""

from __future__ import annotations

import io
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import openai

from lensbench.errors import DataError, RunError, UnavailableError
from lensbench.eventloop import run_to_end
from lensbench.grading.judge.cache import Reply
from lensbench.grading.judge.client import error_detail, fatal_error, may_be_billed, reply_text
from lensbench.grading.judge.completion import read_completion
from lensbench.grading.judge.http import MAX_FILE_BYTES, Redirected, TooLarge, api_key, cause_of, hidden, open_client
from lensbench.grading.judge.registry import Judge, shown_url
from lensbench.jsonio import JsonObject, json_text, parse_json
from lensbench.records import RunFolder

__all__ = ["BatchClient", "BatchResult"]

_LIST = "judge_batches.json"
_OVER = ("completed", "failed", "expired", "cancelled")
_TOTAL_SECONDS = 600.0
"""Time limit for a file of requests or replies, which takes longer than one reply."""
_TRIES = 4
_ID = re.compile(r"(?!\.+\Z)[A-Za-z0-9_.:=-]{1,300}")
"""Ids become parts of an address."""


@dataclass
class BatchResult:
    """Results of a batch."""

    replies: dict[str, Reply] = field(default_factory=dict)
    """Replies by request hash."""
    failures: dict[str, str] = field(default_factory=dict)
    """Request hash -> reason."""
    maybe_billed: set[str] = field(default_factory=set)
    """Of the failures, those of which it is not sure that nothing was written and charged."""


class BatchClient:
    """Batches of one judge in one run.

    Raises:
        UnavailableError: no key.
    """

    def __init__(self, judge: Judge, folder: RunFolder, *, poll_seconds: float = 30.0) -> None:
        self._judge, self._folder, self._poll_seconds = judge, folder, poll_seconds
        api_key(judge)

    def open_batches(self) -> list[str]:
        """Ids of this judge's batches that were submitted and not yet collected."""
        return [b["id"] for b in self._list() if b["judge"] == self._judge.signature and not b["collected"]]

    def submit(self, bodies: Mapping[str, JsonObject]) -> str:
        """Send requests up.

        Args:
            bodies: Request hash -> body.

        Returns:
            The batch's id.
        """
        lines = "".join(
            json_text({"custom_id": request, "method": "POST", "url": "/v1/chat/completions", "body": body}, ensure_ascii=True)
            + "\n"
            for request, body in bodies.items()
        )
        content = lines.encode()
        file = self._call(
            lambda client: client.files.with_raw_response.create(file=("requests.jsonl", io.BytesIO(content)), purpose="batch")
        )
        file_id = _name(file, "the file")
        # Sent once: a reply that is lost may stand for a batch that was made, and a second one would be paid again.
        batch = self._call(
            lambda client: client.batches.with_raw_response.create(
                input_file_id=file_id, endpoint="/v1/chat/completions", completion_window="24h"
            ),
            tries=1,
        )
        batch_id = _name(batch, "the batch")
        entry = {"id": batch_id, "judge": self._judge.signature, "requests": len(bodies), "collected": False}
        self._folder.write_json(_LIST, [*self._list(), entry])
        return batch_id

    def wait(self, batch_id: str, advance: Callable[[int, int], None]) -> BatchResult:
        """Wait for a batch and read its results.

        Args:
            advance: Called at every look with requests done and requests in all.

        Raises:
            RunError: the provider gave the batch up.
            UnavailableError: the server cannot be asked, or what it says is not about a batch.
        """
        while True:
            batch = self._call(lambda client: client.batches.with_raw_response.retrieve(batch_id))
            counts = batch.get("request_counts")
            if isinstance(counts, dict):
                done, failed, total = (counts.get(name) for name in ("completed", "failed", "total"))
                advance(_whole(done) + _whole(failed), _whole(total))
            if batch.get("status") in _OVER:
                break
            if not isinstance(batch.get("status"), str):
                raise UnavailableError(f"the server gives no state for batch {batch_id}", "Judge without ``batch``.")
            time.sleep(self._poll_seconds)
        result = BatchResult()
        for name in ("output_file_id", "error_file_id"):
            file_id = batch.get(name)
            if isinstance(file_id, str) and _ID.fullmatch(file_id):
                _read(self._file(file_id), result)
        if not result.replies and not result.failures:
            self.mark_collected(batch_id)
            reasons = hidden(self._judge, _reasons(batch))
            raise RunError(
                f"batch {batch_id} ended as '{batch['status']}' and returned nothing{f': {reasons}' if reasons else ''}",
                "The next judging submits its requests again.",
            )
        return result

    def _list(self) -> list[JsonObject]:
        content = self._folder.read_json(_LIST) if (self._folder.path / _LIST).is_file() else []
        known = isinstance(content, list) and all(
            isinstance(b, dict) and {"judge", "collected"} <= set(b) and _ID.fullmatch(str(b.get("id"))) for b in content
        )
        if not known:
            raise RunError(
                f"{self._folder.path / _LIST}: not a list of batches",
                "Move the file away; its batches, if there are any open ones, are then submitted and paid again.",
            )
        return list(content)

    def mark_collected(self, batch_id: str) -> None:
        """Record that the results of a batch are saved and need not be fetched again."""
        entries = [{**b, "collected": True} if b["id"] == batch_id else b for b in self._list()]
        self._folder.write_json(_LIST, entries)

    def _call(self, action: Callable[[Any], Awaitable[Any]], *, tries: int = _TRIES) -> JsonObject:
        """What the server says of a file or batch: an object.

        Raises:
            UnavailableError: it is not available, or is none.
        """
        text = self._text(action, tries=tries)
        try:
            found = parse_json(text, "the reply of the batch API")
        except DataError as error:
            raise UnavailableError(error.message, "Judge without ``batch``.") from None
        if not isinstance(found, dict):
            raise UnavailableError(
                f"the batch API at {shown_url(self._judge.base_url)} answers with a {type(found).__name__}, not with a batch",
                "Judge without ``batch``.",
            )
        return found

    def _file(self, file_id: str) -> str:
        return self._text(lambda client: client.files.with_raw_response.content(file_id))

    def _text(self, action: Callable[[Any], Awaitable[Any]], *, tries: int = _TRIES) -> str:
        for left in range(tries - 1, -1, -1):
            try:
                return run_to_end(self._once(action))
            except openai.APIStatusError as error:
                again = error.status_code in (408, 409, 429) or error.status_code >= 500
                shown = fatal_error(self._judge, error)
                if not left or shown is not None or not again:
                    raise shown or UnavailableError(
                        f"the batch API refused ({error.status_code}: {error_detail(self._judge, error)})",
                        "Judge without ``batch``.",
                    ) from None
            except openai.APIConnectionError as error:
                cause = cause_of(error)
                if not left or isinstance(cause, Redirected | TooLarge):
                    raise UnavailableError(
                        f"the batch API cannot be reached ({hidden(self._judge, str(cause))})",
                        "Run the same command again: it waits for a batch that was already submitted.",
                    ) from None
            time.sleep(
                min(self._judge.file.retry.longest_wait_seconds, self._judge.file.retry.first_wait_seconds * (tries - left))
            )
        raise AssertionError("unreachable")

    async def _once(self, action: Callable[[Any], Awaitable[Any]]) -> str:
        seconds = max(_TOTAL_SECONDS, self._judge.file.endpoint.timeout_seconds)
        client = open_client(self._judge, total_seconds=seconds, max_bytes=MAX_FILE_BYTES)
        try:
            return await reply_text(await action(client))
        finally:
            await client.close()


def _name(content: Mapping[str, Any], what: str) -> str:
    found = content.get("id")
    if not isinstance(found, str) or not _ID.fullmatch(found):
        raise UnavailableError(f"the batch API gives {what} no usable id", "Judge without ``batch``.")
    return found


def _whole(value: Any) -> int:
    return value if isinstance(value, int) and 0 <= value < 10**12 else 0


def _reasons(batch: Mapping[str, Any]) -> str:
    errors = batch.get("errors")
    found = errors.get("data") if isinstance(errors, dict) else None
    messages = [str(e.get("message")) for e in found if isinstance(e, dict)] if isinstance(found, list) else []
    return "; ".join(messages)[:400]


def _read(text: str, result: BatchResult) -> None:
    # JSON may hold U+2028 and its like as they are; `splitlines` would cut there.
    for line in text.split("\n"):
        if not line.strip():
            continue
        try:
            entry = parse_json(line, "a line of a batch")
            request = str(entry["custom_id"])
        except (DataError, KeyError, TypeError):
            continue
        response = entry.get("response")
        try:
            result.replies[request] = read_completion(response["body"])
        except (KeyError, IndexError, TypeError, AttributeError):
            body = response.get("body") if isinstance(response, dict) else None
            result.failures[request] = " ".join(str(entry.get("error") or body).split())[:200]
            status = response.get("status_code") if isinstance(response, dict) else None
            if isinstance(response, dict) and (not isinstance(status, int) or status < 400 or may_be_billed(status)):
                result.maybe_billed.add(request)
