"""Display of downloads: the progress display of the running command."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from threading import Lock
from typing import Any, Protocol

__all__ = ["Display", "bytes_shown", "notify", "shown_by", "silent_bar", "size_text"]


class Display(Protocol):
    """Methods of a progress display that are used."""

    def stage(self, title: str, total: int) -> AbstractContextManager[Callable[..., None]]: ...

    def notify(self, text: str) -> None: ...


_display: ContextVar[Display | None] = ContextVar("display", default=None)


@contextmanager
def shown_by(display: Display) -> Iterator[None]:
    """Show the downloads made inside."""
    token = _display.set(display)
    try:
        yield
    finally:
        _display.reset(token)


def notify(text: str) -> None:
    display = _display.get()
    if display is not None:
        display.notify(text)


def size_text(size: int) -> str:
    """Bytes as a person reads them, in units of 1000 as the hub's pages show them."""
    for unit, one in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= one:
            return f"{size / one:.1f} {unit}"
    return f"{size} bytes"


def silent_bar(on_bytes: Callable[[int], None] = lambda n: None) -> type[Any]:
    """A class for huggingface_hub's `tqdm_class` that draws nothing.

    Args:
        on_bytes: Receives how many more bytes are on disk.
    """
    from tqdm import tqdm  # type: ignore[import-untyped]

    class Bar(tqdm):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            # Of the two bars that huggingface_hub has for a snapshot the one that counts what is on disk.
            self._counts = kwargs.get("unit") == "B" and not str(kwargs.get("desc", "")).startswith("Downloading")
            kwargs.pop("name", None)
            super().__init__(*args, **{**kwargs, "disable": True})

        def update(self, n: float | None = 1) -> bool | None:
            if self._counts and n:
                on_bytes(int(n))
            return None

    return Bar


@contextmanager
def bytes_shown(title: str, total: int) -> Iterator[type[Any]]:
    """A class for `tqdm_class`, whose bars tell the display how many bytes have come.

    Args:
        total: Bytes that are to come.
    """
    display = _display.get()
    if display is None or total < _SMALL:
        yield silent_bar()
        return
    lock = Lock()
    come = shown = 0
    with display.stage(f"{title} ({size_text(total)})", _STEPS) as advance:

        def on_bytes(n: int) -> None:
            nonlocal come, shown
            with lock:
                come += n
                steps = min(come, total) * _STEPS // max(1, total) - shown
                if steps > 0:
                    shown += steps
                    advance(steps, f"{size_text(come)} of {size_text(total)}")

        yield silent_bar(on_bytes)
        advance(_STEPS - shown, size_text(total))


_SMALL = 10**6
"""Bytes that come too quickly to be watched."""
_STEPS = 100
"""A bar of a download counts hundredths: displays show whole numbers, and bytes have too many digits."""
