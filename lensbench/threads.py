"""How many threads torch computes with on a CPU: as many as there are cores that nobody else uses.

Threads that share an operation wait for each other after it. If one of them waits for its core, all of them wait, and they use
their cores while they wait. Two threads on two quiet cores take 0.55 times as long as one thread for a model of 135M parameters.
On cores that others use they took two to six times as long as one thread (`bench/threads.py`).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lensbench.progress import Progress

__all__ = ["HeedingProgress", "Load", "free_threads", "heed_load", "heeding_load", "one_thread", "read_load"]

_STAT = Path("/proc/stat")
_SECONDS = 1.0
"""How long the load is observed before the number of threads is chosen again."""
_IDLE = 0.25
"""Cores that others may use without taking a thread away: the system itself is never quite still."""


@dataclass(frozen=True)
class Load:
    """Seconds since some moment.

    Attributes:
        at: That passed.
        busy: That the cores of this process worked for anybody, in sum over the cores.
        own: That processors worked for this process.
    """

    at: float
    busy: float
    own: float


def read_load() -> Load | None:
    """The load now; None where the system does not tell (it has no /proc/stat)."""
    try:
        lines = _STAT.read_text().splitlines()
        cores = {f"cpu{number}" for number in os.sched_getaffinity(0)}
        # user nice system idle iowait irq softirq steal; what comes behind is counted in the first two already.
        counts = [[int(field) for field in line.split()[1:9]] for line in lines if line.split(" ", 1)[0] in cores]
        ticks = sum(sum(fields) - fields[3] - fields[4] for fields in counts)
        return Load(time.monotonic(), ticks / os.sysconf("SC_CLK_TCK"), time.process_time())
    except (OSError, AttributeError, ValueError, IndexError):
        return None


def free_threads(before: Load, now: Load, most: int) -> int:
    """Threads for which there is a core, between 1 and `most`, after what was observed between two readings."""
    seconds = max(now.at - before.at, 1e-9)
    others = max((now.busy - before.busy) - (now.own - before.own), 0.0) / seconds
    return max(min(int(most - others + _IDLE), most), 1)


class _Heeding:
    """Chooses again whenever it is asked, but not more often than once a second."""

    def __init__(self, most: int) -> None:
        self._most, self._before = most, read_load()

    def choose(self) -> None:
        import torch

        before = self._before
        if before is None or time.monotonic() - before.at < _SECONDS:
            return
        now = self._before = read_load()
        if now is not None and (threads := free_threads(before, now, self._most)) != torch.get_num_threads():
            torch.set_num_threads(threads)


_heeding: _Heeding | None = None


@contextmanager
def heeding_load(device: str) -> Iterator[None]:
    """Context in which `heed_load` sets the number of torch's threads; afterwards it is what it was.

    Nothing is changed where there is nothing to choose: on an accelerator, with one core, and where OMP_NUM_THREADS is set, which
    is the user's own choice.
    """
    import torch

    global _heeding
    most, outer = torch.get_num_threads(), _heeding
    if device != "cpu" or most == 1 or "OMP_NUM_THREADS" in os.environ or outer is not None:
        yield
        return
    _heeding = _Heeding(most)
    try:
        yield
    finally:
        _heeding = None
        torch.set_num_threads(most)


def heed_load() -> None:
    """To be called between two pieces of work, by the thread that computes: the number of threads belongs to it alone."""
    if _heeding is not None:
        _heeding.choose()


@contextmanager
def one_thread() -> Iterator[None]:
    """Context in which torch computes with one thread, for what is compared bit by bit: their number can change the last bits."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


class HeedingProgress:
    """Progress that heeds the load whenever a stage advances: for work that does not call `heed_load` itself."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    @contextmanager
    def stage(self, title: str, total: int) -> Iterator[Callable[..., None]]:
        heed_load()
        with self._progress.stage(title, total) as advance:

            def heeding(*args: Any, **kwargs: Any) -> None:
                advance(*args, **kwargs)
                heed_load()

            yield heeding

    def notify(self, text: str) -> None:
        self._progress.notify(text)
