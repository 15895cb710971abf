"""When a request may be sent: requests and tokens per minute, a server's own 'wait', and the spending limit."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from aiolimiter import AsyncLimiter

from lensbench.grading.judge.schema import Limits
from lensbench.grading.judge.spend import Budget

__all__ = ["BudgetExhausted", "Pace"]

_LOOK_AGAIN_SECONDS = 0.05


class BudgetExhausted(Exception):
    """The cap leaves no room for the next request."""


class Pace:
    """Shared by all requests of a judging; must be made inside the event loop that uses it."""

    def __init__(self, limits: Limits) -> None:
        self._requests = _bucket(limits.requests_per_minute)
        self._tokens = _bucket(limits.tokens_per_minute)
        self._not_before = 0.0

    def hold(self, seconds: float) -> None:
        """Nobody sends for so long."""
        self._not_before = max(self._not_before, time.monotonic() + seconds)

    async def turn(self, tokens: int, fits: Callable[[], bool], budget: Budget) -> None:
        """Wait until a request of so many tokens may go out.

        Raises:
            BudgetExhausted: it does not fit under the cap, and no request under way could still make room.
        """
        if self._requests is not None:
            await self._requests.acquire()
        if self._tokens is not None:
            # One request larger than a minute's allowance could never be admitted; it takes all of it.
            await self._tokens.acquire(min(tokens, self._tokens.max_rate))
        while (left := self._not_before - time.monotonic()) > 0:
            await asyncio.sleep(left)
        while not fits():
            if not budget.waiting_could_help:
                raise BudgetExhausted
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)


def _bucket(per_minute: float | None) -> AsyncLimiter | None:
    return None if per_minute is None else AsyncLimiter(per_minute, 60.0)
