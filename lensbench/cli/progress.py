"""Progress in the terminal: bars with the time left, or one line per finished stage where there is no terminal."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

__all__ = ["TerminalProgress"]


class TerminalProgress:
    """Progress bars on stderr, so that stdout holds the table only."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True)

    @contextmanager
    def stage(self, title: str, total: int) -> Iterator[Callable[..., None]]:
        started = time.perf_counter()
        if not self.console.is_terminal:
            last = [""]

            def count(n: int = 1, note: str = "") -> None:
                last[0] = note

            yield count
            tail = f"  {last[0]}" if last[0] else ""
            self.console.print(
                f"  {title}: {total} in {time.perf_counter() - started:.1f} s{tail}",
                markup=False,
                highlight=False,
                soft_wrap=True,
            )
            return
        columns = (
            TextColumn("  {task.description}"), BarColumn(bar_width=24), MofNCompleteColumn(), TimeElapsedColumn(),
            TextColumn("left"), TimeRemainingColumn(), TextColumn("{task.fields[note]}"),
        )  # fmt: skip
        with Progress(*columns, console=self.console) as bar:
            task = bar.add_task(title, total=total, note="")

            def advance(n: int = 1, note: str = "") -> None:
                bar.advance(task, n)
                if note:
                    bar.update(task, note=note)

            yield advance

    def say(self, text: str) -> None:
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)
