"""The protocol for progress of long stages, and an implementation that shows nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

__all__ = ["Progress", "SilentProgress"]


class Progress(Protocol):
    """Receiver of the progress of a long stage."""

    def stage(self, title: str, total: int) -> AbstractContextManager[Any]:
        """A context whose value is called as `advance(n, note)` while the stage goes on."""
        ...

    def notify(self, text: str) -> None:
        """Show one message; one that begins with `!` is a problem."""
        ...


@dataclass
class SilentProgress:
    """Progress for tests and scripts: keeps the notes, prints nothing."""

    notes: list[str] = field(default_factory=list)

    @contextmanager
    def stage(self, title: str, total: int) -> Iterator[Any]:
        def advance(n: int = 1, note: str = "") -> None:
            if note:
                self.notes.append(note)

        yield advance

    def notify(self, text: str) -> None:
        self.notes.append(text)
