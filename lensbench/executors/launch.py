"""Starting ranks, waiting for them, and ending all of them together.

The process a user starts is rank 0, so that its terminal, exit code and Ctrl-C are those of the command. It starts the other
ranks with its own command line and torchrun's environment variables. Where torchrun itself started them, they are there.
"""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, NoReturn

from lensbench.engines.registry import get_engine, rank_engines
from lensbench.errors import LensbenchError, RunError, UsageError
from lensbench.executors.ranks import ALONE, Group, Lost, Ranks

if TYPE_CHECKING:
    import torch.distributed as dist

__all__ = ["Place", "check_devices", "check_options", "find_place", "joined"]

_TORCHRUN = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
_STARTED_BY = "LENSBENCH_RANK_STARTED_BY"
"""Process id of rank 0, where that started the others."""
_STARTING = timedelta(minutes=10)
"""Every rank must have come by then: importing libraries from a slow disk takes minutes."""
_WAITING = timedelta(days=30)
"""Time limit during a fit on rank 0. A rank that ends is detected separately."""


@dataclass(frozen=True)
class Place:
    """Which rank this process is.

    Attributes:
        local: Among the ranks of its machine.
        outside: Whether torchrun started the ranks, not this package.
    """

    rank: int = 0
    count: int = 1
    local: int = 0
    outside: bool = False


def find_place(data_parallel: int | None) -> Place:
    """By torchrun's environment variables, else rank 0 of as many as were requested.

    Raises:
        UsageError: torchrun started another number of ranks.
    """
    if all(name in os.environ for name in _TORCHRUN) and os.environ["WORLD_SIZE"] != "1":
        count = int(os.environ["WORLD_SIZE"])
        if data_parallel not in (None, count):
            raise UsageError(f"``data_parallel={data_parallel}``: torchrun started {count} ranks", "Leave ``data_parallel`` out.")
        return Place(int(os.environ["RANK"]), count, int(os.environ["LOCAL_RANK"]), _STARTED_BY not in os.environ)
    return Place(count=data_parallel or 1)


def check_options(place: Place, device: str, engine: str) -> None:
    """
    Raises:
        UsageError: options that say something else than several ranks: one device, or an engine that divides its work itself.
    """
    if place.count == 1:
        return
    asked = f"``data_parallel={place.count}``"
    if not get_engine(engine).divides_work:
        raise UsageError(f"{asked} cannot be combined with ``engine={engine}``", f"Known with it: {', '.join(rank_engines())}.")
    kind, _, index = device.partition(":")
    if kind not in ("auto", "cpu", "cuda"):
        raise UsageError(f"{asked} cannot be combined with ``device={device}``", "Known with it: auto, cpu, cuda.")
    if index:
        raise UsageError(f"{asked} puts each rank on its own device; ``device={device}`` names one", "Give ``device=cuda``.")


def check_devices(place: Place, device: str) -> None:
    """
    Args:
        device: As picked for one process.

    Raises:
        UsageError: fewer accelerators than ranks.
    """
    if place.count == 1 or device == "cpu":
        return
    import torch

    there, needed = torch.cuda.device_count(), place.local + 1 if place.outside else place.count
    if there < needed:
        raise UsageError(
            f"``data_parallel={place.count}``: this machine has {there} accelerator{'s' * (there != 1)}",
            f"Give at most ``data_parallel={there}``; CUDA_VISIBLE_DEVICES may hide others.",
        )


@contextmanager
def joined(place: Place, command: Sequence[str] = ()) -> Iterator[Ranks]:
    """This process as one of its ranks. When any of them fails, all end.

    Args:
        command: What starts another rank on this machine; rank 0 needs it where torchrun did not start the others.

    Raises:
        RunError: another rank ended; on rank 0. Other ranks leave the process themselves: what went wrong is said by rank 0.
    """
    if place.count == 1:
        yield ALONE
    elif place.rank == 0:
        with _leading(place, command) as ranks:
            yield ranks
    else:
        with _following(place) as ranks:
            yield ranks


@contextmanager
def _leading(place: Place, command: Sequence[str]) -> Iterator[Ranks]:
    import torch.distributed as dist

    children: dict[int, subprocess.Popen[bytes]] = {}
    if place.outside:
        store = _meet(place)
    else:
        held = dist.TCPStore("127.0.0.1", 0, None, True, timeout=_STARTING, wait_for_workers=False)
        children = {rank: _start(command, rank, place.count, held.port) for rank in range(1, place.count)}
        store = _named(held)
    watch = _Watch(store, children, place.count)
    try:
        with watch:
            yield _group(place, store)
            _wait(children)
            if dist.is_initialized():
                dist.destroy_process_group()
    except Lost:
        raise RunError(
            watch.reason or "a rank has ended",
            "Finished work is kept. Run the same command again to continue, also with another number of ranks.",
        ) from None
    finally:
        _end(children)


@contextmanager
def _following(place: Place) -> Iterator[Ranks]:
    # Rank 0 hears Ctrl-C for all. This rank writes nothing, so that it may end anywhere.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    parent = int(os.environ.get(_STARTED_BY, os.getppid()))
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    import torch.distributed as dist

    store = _meet(place)
    try:
        yield _group(place, store)
        dist.destroy_process_group()
    except LensbenchError as error:
        _leave(store, place, error.message)
    except Exception as error:
        if _gone(store):
            os._exit(1)
        print(f"rank {place.rank}:", file=sys.stderr)
        traceback.print_exc()
        _leave(store, place, f"{type(error).__name__}: {error}")


def _gone(store: dist.Store) -> bool:
    """Whether rank 0, or torchrun, has ended: then nobody reads on, and nothing is to be said."""
    try:
        return not store.check(["here/0"])
    except RuntimeError:
        return True


def _leave(store: dist.Store, place: Place, message: str) -> NoReturn:
    """Tell rank 0 and end; at once, since a collective that nobody answers would hold up the interpreter's own end."""
    with contextlib.suppress(Exception):
        store.set(f"failed/{place.rank}", message)
        # torchrun ends rank 0 as soon as another one has ended: time to say why.
        time.sleep(2 if place.outside else 0)
    sys.stderr.flush()
    os._exit(1)


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def _start(command: Sequence[str], rank: int, count: int, port: int) -> subprocess.Popen[bytes]:
    place = dict(zip(_TORCHRUN, (rank, rank, count, "127.0.0.1", port), strict=True))
    environment = {**os.environ, **{name: str(value) for name, value in place.items()}, _STARTED_BY: str(os.getpid())}
    # A group of its own: the terminal's Ctrl-C goes to rank 0 alone.
    return subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, process_group=0)


def _meet(place: Place) -> dist.Store:
    import torch.distributed as dist

    address, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    # torchrun's agent mostly holds the store itself, and says so.
    holds = place.rank == 0 and os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True"
    return _named(dist.TCPStore(address, port, None, holds, timeout=_STARTING, wait_for_workers=False))


def _named(store: dist.Store) -> dist.Store:
    """Apart from what torchrun keeps there, and from a start before this one."""
    import torch.distributed as dist

    return dist.PrefixStore(f"lensbench/{os.environ.get('TORCHELASTIC_RESTART_COUNT', 0)}", store)


def _group(place: Place, store: dist.Store) -> Group:
    """This rank; the gloo group is formed when it is first needed, so that rank 0 does not wait for the others to start."""
    store.set(f"here/{place.rank}", "1")
    return Group(place.rank, place.count, place.local, store, functools.partial(_form, place, store))


def _form(place: Place, store: dist.Store) -> None:
    """Wait for all ranks, awake, then form the group.

    Raises:
        RunError: they have not come.
    """
    import torch.distributed as dist

    deadline = time.monotonic() + _STARTING.total_seconds()
    while not store.check([f"here/{rank}" for rank in range(place.count)]):
        if time.monotonic() > deadline:
            raise RunError(
                f"not all of {place.count} ranks had started after {_STARTING}",
                "Unset WORLD_SIZE to run alone inside a job that torchrun started." if place.outside else None,
            )
        time.sleep(0.05)
    if not place.outside:
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    dist.init_process_group(
        "gloo", store=dist.PrefixStore("gloo", store), rank=place.rank, world_size=place.count, timeout=_WAITING
    )


class _Watch:
    """Looks after the other ranks from a thread, and stops the main thread where it stands when one has ended."""

    def __init__(self, store: dist.Store, children: dict[int, subprocess.Popen[bytes]], count: int) -> None:
        self._store, self._children, self._count = store, children, count
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self.reason: str | None = None

    def __enter__(self) -> None:
        self._before = signal.signal(signal.SIGUSR1, _stop)
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        signal.signal(signal.SIGUSR1, self._before)

    def _look(self) -> None:
        while not self._over.wait(0.2):
            self.reason = self._found()
            if self.reason is not None:
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
                return

    def _found(self) -> str | None:
        ended = {rank: child.returncode for rank, child in self._children.items() if child.poll()}
        for rank in range(1, self._count):
            if self._store.check([f"failed/{rank}"]):
                return f"rank {rank}: {self._store.get(f'failed/{rank}').decode()}"
        for rank, code in ended.items():
            if code < 0:
                return f"rank {rank} was ended by {signal.Signals(-code).name}" + (
                    ", as a system out of memory does it" if code == -signal.SIGKILL else ""
                )
            return f"rank {rank} ended with exit code {code}"
        return None


def _stop(number: int, frame: object) -> None:
    raise Lost


def _wait(children: dict[int, subprocess.Popen[bytes]]) -> None:
    """Ranks that have helped with everything leave by themselves."""
    for child in children.values():
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(timeout=10)


def _end(children: dict[int, subprocess.Popen[bytes]]) -> None:
    for child in children.values():
        if child.poll() is None:
            child.terminate()
    for child in children.values():
        try:
            child.wait(timeout=5)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
