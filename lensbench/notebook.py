"""Progress in a notebook, with IPython's own display: no widgets are needed, and a saved notebook keeps what it showed."""

from __future__ import annotations

import html
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from lensbench.errors import in_words
from lensbench.printable import printable

__all__ = ["NotebookProgress", "in_notebook"]

_EVERY_SECONDS = 0.2
"""Between two updates of a bar: each of them is a message to the browser."""


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and hasattr(shell, "kernel")


class NotebookProgress:
    """Reports of stages below the cell that runs them: a bar per stage, which becomes one line when the stage ends."""

    @contextmanager
    def stage(self, title: str, total: int) -> Iterator[Callable[..., None]]:
        from IPython.display import display

        bar = _Bar(printable(title, one_line=True), total)
        handle = display(bar, display_id=True)
        shown = time.monotonic()

        def advance(n: int = 1, note: str = "") -> None:
            nonlocal shown
            bar.done += n
            bar.note = printable(note, one_line=True) or bar.note
            if time.monotonic() - shown >= _EVERY_SECONDS:
                shown = time.monotonic()
                handle.update(bar)

        try:
            yield advance
        except BaseException:
            bar.state = "stopped"
            handle.update(bar)
            raise
        bar.state = "ended"
        handle.update(bar)

    def notify(self, text: str) -> None:
        from IPython.display import display

        display({"text/plain": printable(in_words(text))}, raw=True)


class _Bar:
    """One stage as it stands, as text and as HTML."""

    def __init__(self, title: str, total: int) -> None:
        self.title, self.total = title, total
        self.done, self.note, self.state = 0, "", "running"
        self._started = time.monotonic()

    def __repr__(self) -> str:
        seconds = time.monotonic() - self._started
        tail = f"  {self.note}" if self.note else ""
        if self.state == "ended":
            return f"{self.title}: {self.total} in {seconds:.1f} s{tail}"
        stopped = "stopped at " if self.state == "stopped" else ""
        return f"{self.title}: {stopped}{self.done} of {self.total} in {seconds:.0f} s{tail}"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        text = repr(self)
        bar = f'<progress value="{self.done}" max="{self.total}"></progress> ' if self.state == "running" else ""
        return {"text/plain": text, "text/html": f"<div>{bar}{html.escape(text)}</div>"}
