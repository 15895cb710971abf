"""The provider's batch API: requests go up as one file and come back within a day at a lower price.

A batch is written down in the run folder as soon as it was created, so that a judging that was stopped goes on waiting for it and
pays nothing twice.
"""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import openai

from lensbench.errors import RunError, UnavailableError
from lensbench.judging.cache import Reply
from lensbench.judging.client import api_key, error_detail, fatal_error, readable_message
from lensbench.judging.registry import Judge
from lensbench.store import RunFolder

__all__ = ["BatchClient", "BatchResult"]

_LIST = "judge_batches.json"
_OVER = ("completed", "failed", "expired", "cancelled")


@dataclass(frozen=True)
class BatchResult:
    """What came back of a batch."""

    replies: dict[str, Reply]
    """By request hash."""
    failures: dict[str, str]
    """Request hash -> reason."""


class BatchClient:
    """Batches of one judge in one run.

    Raises:
        UnavailableError: no key.
    """

    def __init__(self, judge: Judge, folder: RunFolder, *, poll_seconds: float = 30.0) -> None:
        self._judge, self._folder, self._poll_seconds = judge, folder, poll_seconds
        endpoint = judge.file.endpoint
        self._openai = openai.OpenAI(
            api_key=api_key(judge), base_url=endpoint.base_url, max_retries=judge.file.retry.attempts,
            timeout=endpoint.timeout_seconds,
        )  # fmt: skip

    def open_batches(self) -> list[str]:
        """Ids of this judge's batches that were submitted and not yet collected."""
        return [b["id"] for b in self._list() if b["judge"] == self._judge.signature and not b["collected"]]

    def submit(self, bodies: Mapping[str, dict[str, Any]]) -> str:
        """Send requests up.

        Args:
            bodies: Request hash -> body.

        Returns:
            The batch's id.
        """
        lines = "".join(
            json.dumps({"custom_id": request, "method": "POST", "url": "/v1/chat/completions", "body": body}) + "\n"
            for request, body in bodies.items()
        )
        with self._explained():
            file = self._openai.files.create(file=("requests.jsonl", io.BytesIO(lines.encode())), purpose="batch")
            # Sent once: a reply that is lost may stand for a batch that was made, and a second one would be paid again.
            once = self._openai.with_options(max_retries=0)
            batch = once.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h")
        entry = {"id": batch.id, "judge": self._judge.signature, "requests": len(bodies), "collected": False}
        self._folder.write_json(_LIST, [*self._list(), entry])
        return batch.id

    def wait(self, batch_id: str, advance: Callable[[int, int], None]) -> BatchResult:
        """Wait for a batch and read what it brought.

        Args:
            advance: Called at every look with requests done and requests in all.

        Raises:
            RunError: the provider gave the batch up.
        """
        while True:
            with self._explained():
                batch = self._openai.batches.retrieve(batch_id)
            counts = batch.request_counts
            if counts is not None:
                advance(counts.completed + counts.failed, counts.total)
            if batch.status in _OVER:
                break
            time.sleep(self._poll_seconds)
        replies: dict[str, Reply] = {}
        failures: dict[str, str] = {}
        for file_id in (batch.output_file_id, batch.error_file_id):
            if file_id:
                with self._explained():
                    text = self._openai.files.content(file_id).text
                _read(text, replies, failures)
        if not replies and not failures:
            self.mark_collected(batch_id)
            reasons = "; ".join(str(e.message) for e in (batch.errors.data if batch.errors and batch.errors.data else []))
            raise RunError(
                f"batch {batch_id} ended as '{batch.status}' and brought nothing{f': {reasons}' if reasons else ''}",
                "The next judging submits its requests again.",
            )
        return BatchResult(replies, failures)

    def _list(self) -> list[dict[str, Any]]:
        return list(self._folder.read_json(_LIST)) if (self._folder.path / _LIST).is_file() else []

    def mark_collected(self, batch_id: str) -> None:
        """What a batch brought is written down; it need not be fetched again."""
        entries = [{**b, "collected": True} if b["id"] == batch_id else b for b in self._list()]
        self._folder.write_json(_LIST, entries)

    def _explained(self) -> _Explained:
        return _Explained(self._judge)


class _Explained:
    """Turns the client's errors into ours."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, openai.APIStatusError):
            raise fatal_error(self._judge, error) or UnavailableError(
                f"the batch API refused ({error.status_code}: {error_detail(self._judge, error)})", "Judge without --batch."
            ) from None
        if isinstance(error, openai.APIConnectionError):
            raise UnavailableError(f"the batch API cannot be reached ({error.__cause__ or error})") from None


def _read(text: str, replies: dict[str, Reply], failures: dict[str, str]) -> None:
    # JSON may hold U+2028 and its like as they are; `splitlines` would cut there.
    for line in text.split("\n"):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
            request = str(entry["custom_id"])
        except (ValueError, KeyError, TypeError):
            continue
        try:
            content = entry["response"]["body"]
            message = readable_message(content)
            replies[request] = Reply(
                text=message.get("content") or "", model=content.get("model"), fingerprint=content.get("system_fingerprint"),
                usage=content.get("usage"), finish=content["choices"][0].get("finish_reason"), refusal=message.get("refusal"),
            )  # fmt: skip
        except (KeyError, IndexError, TypeError, AttributeError):
            reason = entry.get("error") or (entry.get("response") or {}).get("body")
            failures[request] = " ".join(str(reason).split())[:200]
