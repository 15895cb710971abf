"""A coroutine runs to its end with and without an event loop around it, and an interrupt ends it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading

import pytest

from lensbench.eventloop import run_to_end


async def double(value: int) -> int:
    await asyncio.sleep(0)
    if value < 0:
        raise ValueError("below nought")
    return 2 * value


def test_outside_a_loop() -> None:
    assert run_to_end(double(2)) == 4
    with pytest.raises(ValueError, match="below nought"):
        run_to_end(double(-1))


def test_inside_a_loop_as_in_a_notebook() -> None:
    async def cell() -> int:
        found = run_to_end(double(3))
        with pytest.raises(ValueError, match="below nought"):
            run_to_end(double(-1))
        return found

    assert asyncio.run(cell()) == 6
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("lensbench-loop")]


def test_an_interrupt_cancels_it_first() -> None:
    code = """
import asyncio, os, signal, threading, time
from lensbench.eventloop import run_to_end
async def long():
    try:
        threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        print("cancelled", flush=True)
        raise
def cell():
    try:
        run_to_end(long())
    except KeyboardInterrupt:
        print("interrupted", flush=True)
async def main():
    signal.signal(signal.SIGINT, signal.default_int_handler)
    cell()
loop = asyncio.new_event_loop()
loop.run_until_complete(main())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=50)
    assert done.stdout.split() == ["cancelled", "interrupted"], done.stderr
