"""When a request may go out: tokens a minute, a server's 'wait', the cap."""

from __future__ import annotations

import asyncio
import time

import pytest

from lensbench.grading.judge.pace import BudgetExhausted, Pace
from lensbench.grading.judge.schema import Limits, Prices
from lensbench.grading.judge.spend import Budget


def seconds(coroutine: object) -> float:
    started = time.perf_counter()
    asyncio.run(coroutine)  # type: ignore[arg-type]
    return time.perf_counter() - started


def test_tokens_beyond_the_minutes_allowance_wait_for_it_to_refill() -> None:
    async def go() -> None:
        pace, budget = Pace(Limits(tokens_per_minute=60_000)), Budget(None)
        await pace.turn(60_000, lambda: True, budget)
        # A thousand a second flow back.
        await pace.turn(1_000, lambda: True, budget)

    assert 0.8 < seconds(go()) < 3


def test_requests_beyond_the_allowance_wait() -> None:
    async def go() -> None:
        pace, budget = Pace(Limits(requests_per_minute=120)), Budget(None)
        for _ in range(122):
            await pace.turn(1, lambda: True, budget)

    # Two a second flow back after the first 120.
    assert 0.8 < seconds(go()) < 3


def test_a_request_above_the_whole_allowance_still_goes_out() -> None:
    async def go() -> None:
        await Pace(Limits(tokens_per_minute=100)).turn(5_000, lambda: True, Budget(None))

    assert seconds(go()) < 1


def test_nobody_sends_while_the_server_asks_to_wait() -> None:
    async def go() -> None:
        pace = Pace(Limits())
        pace.hold(0.4)
        await asyncio.gather(*(pace.turn(1, lambda: True, Budget(None)) for _ in range(5)))

    assert 0.35 < seconds(go()) < 2


def test_the_cap_waits_for_what_may_turn_out_cheaper_and_then_stops() -> None:
    prices = Prices(date="2026-01-01", input=1.0, output=1.0)  # type: ignore[arg-type]

    async def go() -> None:
        pace, budget = Pace(Limits()), Budget(prices, max_usd=1.0)
        budget.reserve(0.9)
        waiting = asyncio.create_task(pace.turn(1, lambda: budget.fits(0.5), budget))
        await asyncio.sleep(0.2)
        assert not waiting.done()
        budget.settle(0.9, 0.1)
        await waiting
        with pytest.raises(BudgetExhausted):
            await pace.turn(1, lambda: budget.fits(5.0), budget)

    asyncio.run(go())
