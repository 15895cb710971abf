"""The number of threads follows the cores that are free."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from lensbench.progress import SilentProgress
from lensbench.threads import HeedingProgress, Load, free_threads, heed_load, heeding_load, one_thread, read_load


@pytest.mark.parametrize(
    ("busy", "own", "most", "threads"),
    [
        (2.0, 2.0, 2, 2),  # nobody else
        (2.0, 1.8, 2, 2),  # the system itself
        (2.0, 1.0, 2, 1),  # one other process beside one thread
        (2.0, 1.33, 2, 1),  # one other process beside two threads: a third of the time each
        (2.0, 0.2, 2, 1),  # eight others: never fewer than one
        (0.5, 0.0, 16, 15),
        (4.0, 1.0, 16, 13),
        (16.0, 8.0, 16, 8),
        (1.0, 1.1, 2, 2),  # clocks that round differently
    ],
)
def test_threads_are_the_cores_that_nobody_else_uses(busy: float, own: float, most: int, threads: int) -> None:
    """Per second of observation; the same over ten seconds."""
    assert free_threads(Load(5, 100, 7), Load(6, 100 + busy, 7 + own), most) == threads
    assert free_threads(Load(5, 100, 7), Load(15, 100 + 10 * busy, 7 + 10 * own), most) == threads


@pytest.mark.skipif(not Path("/proc/stat").exists(), reason="the system does not tell its load")
def test_a_busy_process_is_seen() -> None:
    """At least half a core more than this process uses, whatever else the machine does; our own work is not taken for others'."""
    other = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        before = read_load()
        time.sleep(1.5)
        now = read_load()
    finally:
        other.kill()
        other.wait()
    assert before is not None and now is not None
    others = (now.busy - before.busy - now.own + before.own) / (now.at - before.at)
    assert 0.5 < others <= len(os.sched_getaffinity(0)) + 0.1


@pytest.fixture
def two_threads(monkeypatch):
    """Two threads and a load that is read from a list: (seconds, busy, own)."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    readings = [Load(0, 0, 0)]
    monkeypatch.setattr("lensbench.threads.read_load", lambda: readings[-1])
    monkeypatch.setattr("lensbench.threads.time.monotonic", lambda: readings[-1].at)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield readings
    torch.set_num_threads(before)


def test_the_number_follows_the_load_and_is_restored(two_threads) -> None:
    with heeding_load("cpu"):
        two_threads.append(Load(0.5, 1, 0))
        heed_load()
        assert torch.get_num_threads() == 2, "not yet observed for a second"
        two_threads.append(Load(2, 4, 1))
        heed_load()
        assert torch.get_num_threads() == 1
        two_threads.append(Load(4, 6, 3))
        progress = HeedingProgress(SilentProgress())
        with progress.stage("work", 2) as advance:
            assert torch.get_num_threads() == 2, "the others have gone"
            two_threads.append(Load(6, 10, 4))
            advance(1)
            assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2
    two_threads.append(Load(9, 99, 4))
    heed_load()
    assert torch.get_num_threads() == 2, "outside of a run nothing is changed"


@pytest.mark.parametrize("case", ["accelerator", "OMP_NUM_THREADS", "one core", "no /proc/stat"])
def test_nothing_is_changed_where_there_is_nothing_to_choose(two_threads, monkeypatch, case: str) -> None:
    if case == "OMP_NUM_THREADS":
        monkeypatch.setenv("OMP_NUM_THREADS", "2")
    if case == "one core":
        torch.set_num_threads(1)
    if case == "no /proc/stat":
        monkeypatch.setattr("lensbench.threads.read_load", lambda: None)
    threads = torch.get_num_threads()
    with heeding_load("cuda" if case == "accelerator" else "cpu"):
        two_threads.append(Load(5, 99, 0))
        heed_load()
        assert torch.get_num_threads() == threads


def test_what_is_compared_bit_by_bit_is_computed_with_one_thread(two_threads, tiny) -> None:
    """A fit may begin with two threads and end with one; the states before and behind it are compared bit by bit."""
    from lensbench.methods.check import difference, take_snapshot

    seen = []
    hook = tiny.blocks[0].register_forward_hook(lambda *_: seen.append(torch.get_num_threads()))
    before = take_snapshot(tiny)
    assert torch.get_num_threads() == 2
    torch.set_num_threads(1)
    assert difference(tiny, before) is None
    hook.remove()
    assert set(seen) == {1} and len(seen) == 4


def test_one_thread_is_undone_after_an_error(two_threads) -> None:
    with pytest.raises(ValueError, match="no"), one_thread():
        assert torch.get_num_threads() == 1
        raise ValueError("no")
    assert torch.get_num_threads() == 2
