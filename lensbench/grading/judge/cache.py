"""Replies by request, so that no request is paid twice, in this run or another one.

One small file per request under the cache folder, so that several processes can share it. A reply that is asked for again is
the same reply: key and request are compared whole, never a part of them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lensbench.errors import DataError, UsageError
from lensbench.jsonio import JsonObject, json_text, parse_json, read_json_file
from lensbench.records import write_atomically

__all__ = ["Reply", "ReplyCache", "read_replay"]


_ENTRY_BYTES = 2**26


@dataclass(frozen=True)
class Reply:
    """The unchanged reply to a request."""

    text: str
    model: str | None
    """The model the server says answered."""
    fingerprint: str | None
    usage: JsonObject | None
    finish: str | None
    refusal: str | None = None
    seconds: float = 0.0
    attempts: int = 1
    """Requests it took, failed ones included."""
    reasoning: str | None = None
    """The judge's reasoning that the server sent separately from the text."""

    def as_dict(self) -> JsonObject:
        found = asdict(self)
        if self.reasoning is None:
            del found["reasoning"]
        return found

    @classmethod
    def from_dict(cls, content: Any) -> Reply:
        """A stored reply.

        Raises:
            ValueError: it is none; says what is wrong.
        """
        if not isinstance(content, Mapping):
            raise ValueError(f"a reply must be an object, found {type(content).__name__}")
        texts = {name: content.get(name) for name in ("text", "model", "fingerprint", "finish", "refusal", "reasoning")}
        if not isinstance(texts["text"], str):
            raise ValueError("a reply without a text")
        for name, value in texts.items():
            if not isinstance(value, str | None):
                raise ValueError(f"its '{name}' is no text")
        usage, seconds, attempts = content.get("usage"), content.get("seconds", 0.0), content.get("attempts", 1)
        if not isinstance(usage, dict | None) or not isinstance(seconds, int | float) or not isinstance(attempts, int):
            raise ValueError("its 'usage', 'seconds' or 'attempts' is not what a reply has")
        missing = [name for name in ("model", "fingerprint", "usage", "finish") if name not in content]
        if missing:
            raise ValueError(f"a reply without '{missing[0]}'")
        return cls(**texts, usage=usage, seconds=float(seconds), attempts=attempts)  # type: ignore[arg-type]


class ReplyCache:
    """Replies on disk.

    Args:
        folder: Shared by all runs.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, request: str) -> Reply | None:
        try:
            content = read_json_file(self._path(request), limit=_ENTRY_BYTES)
            return Reply.from_dict(content["reply"]) if content["request"] == request else None
        except (DataError, ValueError, KeyError, TypeError):
            # A damaged entry is a miss; the next reply replaces it.
            return None

    def put(self, request: str, reply: Reply) -> None:
        content = {"request": request, "reply": reply.as_dict()}
        path = self._path(request)
        # Two processes may write one entry at the same time; each needs a file of its own to rename.
        own = path.with_name(f"{request}.{os.getpid()}")
        write_atomically(own, json_text(content))
        own.replace(path)

    def _path(self, request: str) -> Path:
        return self._folder / request[:2] / f"{request}.json"


def read_replay(path: Path) -> dict[str, Reply]:
    """Replies of an earlier judging by request hash, from a run's `items/verdicts.jsonl`.

    Raises:
        UsageError: no such file, or a line that is no stored verdict.
    """
    if path.is_dir():
        path = path / "items" / "verdicts.jsonl"
    if not path.is_file():
        raise UsageError(f"``replay``: no file at {path}", "Give a run folder, or its items/verdicts.jsonl.")
    replies = {}
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.endswith(b"\n"):
                # What a process that was killed leaves.
                break
            try:
                record = parse_json(line, f"{path}, line {number}")
                if record["reply"] is not None:
                    replies[str(record["request"])] = Reply.from_dict(record["reply"])
            except DataError:
                raise
            except (ValueError, KeyError, TypeError) as error:
                raise UsageError(f"{path}, line {number}: not a stored verdict ({error})") from None
    return replies
