"""What every tracker does."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

__all__ = ["PROJECT", "Tracker"]

PROJECT = "lensbench"
"""Project or experiment of all runs; the trackers' own environment variables choose the server."""


class Tracker(Protocol):
    """One run at a tracker. Every method may raise anything; the caller says it once and goes on without."""

    def start(self, name: str, options: Mapping[str, str]) -> None:
        """Begin.

        Args:
            name: Of the run folder.
            options: Setting -> value as text.
        """
        ...

    def numbers(self, values: Mapping[str, float], step: int | None = None) -> None:
        """Store numbers by name. Names have letters, digits, `_`, `-`, `.` and `/`."""
        ...

    def file(self, path: Path) -> None:
        """Store a file."""
        ...

    def finish(self, failed: bool) -> None:
        """End, after which nothing else is called."""
        ...
