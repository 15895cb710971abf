"""Replies by request: nothing is paid twice, in this run or another one.

One small file per request under the cache folder, so that several processes can share it. A reply that is asked for again is
the same reply: key and request are compared whole, never a part of them.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lensbench.errors import UsageError
from lensbench.store import write_atomically

__all__ = ["Reply", "ReplyCache", "read_replay"]


@dataclass(frozen=True)
class Reply:
    """What came back for a request, as it came."""

    text: str
    model: str | None
    """The model the server says answered."""
    fingerprint: str | None
    usage: dict[str, Any] | None
    finish: str | None
    refusal: str | None = None
    seconds: float = 0.0
    attempts: int = 1
    """Requests it took, failed ones included."""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class ReplyCache:
    """Replies on disk.

    Args:
        folder: Shared by all runs.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, request: str) -> Reply | None:
        path = self._path(request)
        try:
            content = json.loads(path.read_text(encoding="utf-8", errors="surrogatepass"))
            return Reply(**content["reply"]) if content["request"] == request else None
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError):
            # A damaged entry is a miss; the next reply replaces it.
            return None

    def put(self, request: str, reply: Reply) -> None:
        content = {"request": request, "reply": reply.as_dict()}
        path = self._path(request)
        # Two processes may write one entry at the same time; each needs a file of its own to rename.
        own = path.with_name(f"{request}.{os.getpid()}")
        write_atomically(own, json.dumps(content, ensure_ascii=False))
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
        raise UsageError(f"--replay: no file at {path}", "Give a run folder, or its items/verdicts.jsonl.")
    replies = {}
    with path.open(encoding="utf-8", errors="surrogatepass") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                record = json.loads(line)
                if record["reply"] is not None:
                    replies[str(record["request"])] = Reply(**record["reply"])
            except (ValueError, KeyError, TypeError) as error:
                if not line.endswith("\n"):
                    # What a process that was killed leaves.
                    break
                raise UsageError(f"{path}, line {number}: not a stored verdict ({error})") from None
    return replies
