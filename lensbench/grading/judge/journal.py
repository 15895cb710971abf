"""A journal of every request and reply of a judging, written when it is sent or received, before it is read.

A process that is killed loses nothing that had arrived, and the next start knows what was under way and can have been billed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lensbench.errors import DataError
from lensbench.grading.judge.cache import Reply
from lensbench.grading.judge.completion import read_completion
from lensbench.jsonio import JsonObject, json_text, parse_json

__all__ = ["Journal", "JournalEntry", "Left", "read_journal"]

NAME = "judge_journal.jsonl"


@dataclass
class Left:
    """Replies and unfinished requests of a start that did not end."""

    replies: dict[str, Reply] = field(default_factory=dict)
    """Request hash -> reply, of all starts in the journal."""
    requests: int = 0
    """Replies of the last start."""
    lost: int = 0
    """Requests of the last start that were under way when it was stopped."""
    usd: float = 0.0
    """What the last start spent: replies at their cost, lost requests at the most they can have cost."""


class Journal:
    """The journal of one start, open for appending."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        # Unbuffered: what is written is with the system, whatever happens to this process.
        self._stream = path.open("ab", buffering=0)
        self.came: set[str] = set()
        self._write({"start": True})

    def entry(self, request: str) -> JournalEntry:
        return JournalEntry(self, request)

    def _write(self, line: JsonObject) -> None:
        self._stream.write(b"\n" + json_text(line, separators=(",", ":")).encode("utf-8", "surrogatepass") + b"\n")

    def close(self, logged: set[str]) -> None:
        """Done with: the file goes once every reply in it stands in the log of verdicts.

        Args:
            logged: Request hashes of the verdicts.
        """
        self._stream.close()
        if set(read_journal(self.path).replies) <= logged:
            self.path.unlink(missing_ok=True)


@dataclass(frozen=True)
class JournalEntry:
    """One request in the journal."""

    journal: Journal
    request: str

    def sent(self, most_usd: float) -> None:
        self.journal._write({"sent": self.request, "usd": most_usd})

    def failed(self, usd: float) -> None:
        self.journal._write({"failed": self.request, "usd": usd})

    def came(self, content: Any, usd: float) -> None:
        self.journal._write({"came": self.request, "usd": usd, "content": content})


def read_journal(path: Path) -> Left:
    """What a journal holds; lines that were cut when their process was killed are passed over."""
    left = Left()
    if not path.is_file():
        return left
    under_way: dict[str, float] = {}
    with path.open("rb") as lines:
        for line in lines:
            try:
                entry = parse_json(line, str(path)) if line.strip() else {}
                usd = float(entry.get("usd", 0.0))
                if entry.get("start"):
                    under_way, left.requests, left.usd = {}, 0, 0.0
                elif "sent" in entry:
                    under_way[str(entry["sent"])] = usd
                elif "failed" in entry:
                    under_way.pop(str(entry["failed"]), None)
                    left.usd += usd
                elif "came" in entry:
                    request = str(entry["came"])
                    under_way.pop(request, None)
                    left.replies[request] = read_completion(entry["content"])
                    left.requests, left.usd = left.requests + 1, left.usd + usd
            except (DataError, ValueError, KeyError, IndexError, TypeError, AttributeError):
                continue
    left.lost = len(under_way)
    left.usd += sum(under_way.values())
    return left
