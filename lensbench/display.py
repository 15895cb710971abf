"""Progress on stderr: bars in a terminal; in a log, a line when a stage begins, one a minute, and one when it ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from lensbench.errors import in_words
from lensbench.printable import printable

__all__ = ["Level", "TerminalProgress"]

Level = Literal["quiet", "normal", "verbose"]
_SECONDS: dict[Level, float] = {"quiet": 60.0, "normal": 60.0, "verbose": 10.0}
"""Between two lines of a stage."""


class TerminalProgress:
    """Reports of stages on stderr, so that stdout holds the table only.

    Args:
        level: "quiet" prints problems only (lines that begin with `!`); "verbose" prints a line every ten seconds with the time
            of day, in a terminal too.
        log: A file that gets all lines with date and time, whatever the level.
        every_seconds: Between two lines of a stage, in place of the level's own.
        spell: How arguments that a message names are written; the command line writes flags.
    """

    def __init__(
        self,
        console: Console | None = None,
        *,
        level: Level = "normal",
        log: Path | None = None,
        every_seconds: float | None = None,
        spell: Callable[[str], str] = in_words,
    ) -> None:
        self.console = console or Console(stderr=True)
        self.level = level
        self._log = log
        self._spell = spell
        self._every = every_seconds or _SECONDS[level]

    @contextmanager
    def stage(self, title: str, total: int) -> Iterator[Callable[..., None]]:
        bars = self.console.is_terminal and self.level == "normal"
        lines = _Lines(title, total, self._write if bars else self._tell)
        with lines.told(self._every):
            if not bars:
                yield lines.count
                return
            columns = (
                TextColumn("  {task.description}", markup=False),
                BarColumn(bar_width=24),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TextColumn("left"),
                TimeRemainingColumn(),
                TextColumn("{task.fields[note]}", markup=False),
            )
            with Progress(*columns, console=self.console) as bar:
                task = bar.add_task(printable(title, one_line=True), total=total, note="")

                def advance(n: int = 1, note: str = "") -> None:
                    lines.count(n, note)
                    bar.advance(task, n)
                    if note:
                        bar.update(task, note=printable(note, one_line=True))

                yield advance

    def notify(self, text: str) -> None:
        self._tell(printable(self._spell(text)), problem=text.lstrip().startswith("!"))

    def _tell(self, text: str, *, problem: bool = False) -> None:
        self._write(text)
        if self.level == "quiet" and not problem:
            return
        stamp = f"{time.strftime('%H:%M:%S')} " if self.level == "verbose" else ""
        self.console.print(stamp + text, markup=False, highlight=False, soft_wrap=True)

    def _write(self, text: str) -> None:
        if self._log is None:
            return
        try:
            with self._log.open("a", encoding="utf-8", errors="backslashreplace") as file:
                file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text.strip()}\n")
        except OSError as error:
            # A run of days does not end because its log cannot be written.
            path, self._log = self._log, None
            self._tell(f"! {path} can no longer be written ({error.strerror}); the run continues without it", problem=True)


class _Lines:
    """One stage as lines of text."""

    def __init__(self, title: str, total: int, tell: Callable[[str], None]) -> None:
        self._title, self._total, self._tell = printable(title, one_line=True), total, tell
        self._done, self._note = 0, ""
        self._started = time.perf_counter()

    def count(self, n: int = 1, note: str = "") -> None:
        self._done += n
        self._note = note or self._note

    @contextmanager
    def told(self, every_seconds: float) -> Iterator[None]:
        """Tell of the beginning, of how far it is from time to time (also while one item takes long), and of the end."""
        self._tell(f"  {self._title}: begins, {self._total} to do")
        ended = threading.Event()
        clock = threading.Thread(target=self._tick, args=(ended, every_seconds), daemon=True)
        clock.start()
        try:
            yield
        except BaseException:
            _end(ended, clock)
            self._tell(f"  {self._title}: stopped at {self._done} of {self._total}, after {_span(self._elapsed)}{self._tail()}")
            raise
        _end(ended, clock)
        self._tell(f"  {self._title}: {self._total} in {self._elapsed:.1f} s{self._tail()}")

    def _tick(self, ended: threading.Event, every_seconds: float) -> None:
        while not ended.wait(every_seconds):
            left = "time left not known yet"
            if self._done:
                left = f"about {_span(self._elapsed / self._done * max(self._total - self._done, 0))} left"
            self._tell(f"  {self._title}: {self._done} of {self._total} in {_span(self._elapsed)}, {left}{self._tail()}")

    @property
    def _elapsed(self) -> float:
        return time.perf_counter() - self._started

    def _tail(self) -> str:
        return f"  {printable(self._note, one_line=True)}" if self._note else ""


def _end(ended: threading.Event, clock: threading.Thread) -> None:
    ended.set()
    clock.join(timeout=5)


def _span(seconds: float) -> str:
    """`50 s`, `7 min 5 s`, `3 h 20 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
