"""Running a coroutine to its end, also where an event loop runs already, as in the cell of a notebook."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, TypeVar

__all__ = ["run_to_end"]

T = TypeVar("T")


def run_to_end(coroutine: Coroutine[Any, Any, T]) -> T:
    """What the coroutine returns, or the error that it raises.

    Where this thread runs an event loop, another thread runs the coroutine, and this one waits. An interrupt cancels the
    coroutine, and is raised once it has ended.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(coroutine)
    begun: Future[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any] | None]] = Future()

    async def noted() -> T:
        begun.set_result((asyncio.get_running_loop(), asyncio.current_task()))
        return await coroutine

    with ThreadPoolExecutor(1, "lensbench-loop") as pool:
        ending = pool.submit(lambda: asyncio.run(noted()))
        try:
            return ending.result()
        except KeyboardInterrupt:
            loop, task = begun.result()
            if task is not None and not ending.done():
                loop.call_soon_threadsafe(task.cancel)
            wait([ending])
            raise
