"""Several processes, called ranks, that score and answer together.

Rank 0 does everything else, and it alone writes: what other ranks find travels to it in small pieces. What ranks must agree on
goes through collectives of a gloo group, and records through the store that the group met at, since they come whenever they are
ready. Only text travels, little beside the work behind it, so that a library that joins accelerators would bring nothing.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lensbench.engines.division import Loads
from lensbench.errors import RunError
from lensbench.jsonio import JsonObject
from lensbench.methods.base import Progress
from lensbench.records import RecordLog, RunFolder
from lensbench.records.log import Line, key_of

if TYPE_CHECKING:
    import torch
    import torch.distributed as dist

    from lensbench.plan.task_items import TaskItems

__all__ = ["ALONE", "Group", "Lost", "Ranks", "conversations"]

_PIECE = 2**20
"""Bytes of records that are sent at a time; the store takes eight times as many."""


class Lost(BaseException):
    """Another rank has ended. No stage may catch this and continue with fewer ranks."""


class Ranks:
    """One process without other ranks."""

    rank = 0
    count = 1

    def agreed(self, make: Callable[[], Any]) -> Any:
        """What rank 0 makes of it, on every rank, as JSON holds it; ranks wait for rank 0 here."""
        return make()

    def log(self, folder: RunFolder, stage: str) -> AbstractContextManager[RecordLog]:
        """The log of a stage, as every rank found it; all of them open it together."""
        return folder.log(stage)

    def collect(self, log: RecordLog, progress: Progress) -> None:
        """Wait until every rank's records are in the log."""

    def assign_to_ranks(self, costs: Sequence[float], *, keep_neighbours: bool) -> list[bool]:
        """Which pieces of work are this rank's own (`lensbench.engines.protocol.AssignToRanks`)."""
        return [True] * len(costs)

    def device(self, device: str) -> str:
        """This rank's, of the kind that was picked."""
        return device

    def progress(self, progress: Progress) -> Progress:
        """Progress receiver for this rank's part of a stage."""
        return progress

    def share_of_cores(self, device: str) -> AbstractContextManager[None]:
        """Context in which each rank on a CPU uses its share of the cores."""
        return nullcontext()


ALONE = Ranks()


class Group(Ranks):
    """One of several ranks.

    The gloo group of all of them is torch's default one.

    Args:
        local: Which rank of its machine; it takes the device of this number.
        store: Where they met; each record is put there by its rank and taken out by rank 0.
        form: Forms the group; called when it is first needed.
    """

    def __init__(self, rank: int, count: int, local: int, store: dist.Store, form: Callable[[], None]) -> None:
        self.rank, self.count, self._local = rank, count, local
        self._store, self._form = store, form
        self._loads = Loads(count)
        """Of the stage under way: in front of each, the ranks wait for one another."""
        self._sent = 0
        self._taken = [0] * count

    def agreed(self, make: Callable[[], Any]) -> Any:
        import torch
        import torch.distributed as dist

        if not dist.is_initialized():
            self._form()
        data = json.dumps(make()).encode() if self.rank == 0 else b""
        size = torch.tensor([len(data)])
        self._broadcast(size)
        content = torch.zeros(int(size), dtype=torch.uint8)
        if self.rank == 0:
            content[:] = torch.frombuffer(bytearray(data), dtype=torch.uint8)
        self._broadcast(content)
        return json.loads(content.numpy().tobytes())

    def _broadcast(self, tensor: torch.Tensor) -> None:
        """Broadcast a value from rank 0. Waits in short steps, so that signals are handled."""
        import torch.distributed as dist

        try:
            work = dist.broadcast(tensor, 0, async_op=True)
            while not work.is_completed():
                time.sleep(0.01)
            work.wait()
        except RuntimeError as error:
            # Whoever watches the ranks knows which one it was, and says so within this time.
            time.sleep(5)
            raise RunError(f"the ranks have lost their connection: {str(error).splitlines()[0]}") from None

    @contextmanager
    def log(self, folder: RunFolder, stage: str) -> Iterator[RecordLog]:
        self._loads = Loads(self.count)
        if self.rank:
            yield _Sending(folder.log_path(stage), self.agreed(list), self._send)
            return
        with _Receiving(folder.log_path(stage), self._take) as log:
            self.agreed(log.keys)
            yield log

    def collect(self, log: RecordLog, progress: Progress) -> None:
        if self.rank:
            self._put("null")
        else:
            assert isinstance(log, _Receiving)
            with progress.stage("the other ranks", self.count - 1) as advance:
                told = 0
                while told < self.count - 1:
                    log.drain()
                    advance(log.ended - told)
                    told = log.ended
                    time.sleep(0.01)
            log.as_it_is()
        # A rank that went ahead would open the next log before this one is whole.
        self.agreed(lambda: None)

    def assign_to_ranks(self, costs: Sequence[float], *, keep_neighbours: bool) -> list[bool]:
        return [owner == self.rank for owner in self._loads.assign_to_ranks(costs, keep_neighbours=keep_neighbours)]

    def device(self, device: str) -> str:
        if device == "cpu":
            return device
        import torch

        torch.cuda.set_device(self._local)
        return f"cuda:{self._local}"

    def progress(self, progress: Progress) -> Progress:
        return _Part(progress, f"rank {self.rank} of {self.count}")

    @contextmanager
    def share_of_cores(self, device: str) -> Iterator[None]:
        import torch

        # Who sets the number of threads sets it per process, as torchrun does.
        if device != "cpu" or "OMP_NUM_THREADS" in os.environ:
            yield
            return
        threads = torch.get_num_threads()
        torch.set_num_threads(max(threads // self.count, 1))
        try:
            yield
        finally:
            torch.set_num_threads(threads)

    def _send(self, records: Sequence[JsonObject]) -> None:
        held: list[str] = []
        for record in records:
            # Escaped, so that half a surrogate pair in a model's text travels too.
            text = json.dumps(record)
            if held and sum(map(len, held)) + len(text) > _PIECE:
                self._put(f"[{','.join(held)}]")
                held = []
            held.append(text)
        if held:
            self._put(f"[{','.join(held)}]")

    def _put(self, text: str) -> None:
        self._store.set(f"records/{self.rank}/{self._sent}", text)
        self._sent += 1

    def _take(self) -> Iterator[list[JsonObject] | None]:
        """What has come from other ranks; None for each that has sent everything of a stage."""
        for rank in range(1, self.count):
            while self._store.check([key := f"records/{rank}/{self._taken[rank]}"]):
                found = json.loads(self._store.get(key))
                self._store.delete_key(key)
                self._taken[rank] += 1
                yield found
                if found is None:
                    break


class _Receiving(RecordLog):
    """The log of rank 0: its own records, and those of others whenever it writes.

    To the stage it holds what it held in the beginning and what the stage itself wrote: the other ranks see no more either, and
    all must divide the same work.
    """

    def __init__(self, path: Path, take: Callable[[], Iterator[list[JsonObject] | None]]) -> None:
        super().__init__(path)
        self._take = take
        self._seen: set[str] | None = set(self._keys)
        self.ended = 0
        """Ranks that have sent everything."""

    def __contains__(self, key: str) -> bool:
        return key in (self._keys if self._seen is None else self._seen)

    def append(self, records: Iterable[Line]) -> None:
        own = list(records)
        super().append(own)
        if self._seen is not None:
            self._seen.update(map(key_of, own))
        self.drain()

    def drain(self) -> None:
        """Write what others have sent."""
        for records in self._take():
            if records is None:
                self.ended += 1
            else:
                super().append(records)

    def as_it_is(self) -> None:
        """Add the records of other ranks from now on."""
        self._seen = None


class _Sending(RecordLog):
    """The log of another rank: what it is given goes to rank 0."""

    def __init__(self, path: Path, keys: Sequence[str], send: Callable[[Sequence[JsonObject]], None]) -> None:
        self.path, self._keys, self._send = path, set(keys), send

    def append(self, records: Iterable[Line]) -> None:
        fresh = self._fresh(records)
        self._send(list(fresh.values()))
        self._keys.update(fresh)


class _Part:
    """Progress of one rank's part."""

    def __init__(self, progress: Progress, part: str) -> None:
        self._progress, self._part = progress, part

    def stage(self, title: str, total: int) -> AbstractContextManager[Any]:
        return self._progress.stage(f"{title} · {self._part}", total)

    def notify(self, text: str) -> None:
        self._progress.notify(text)


def conversations(ranks: Ranks, tasks: Sequence[TaskItems]) -> list[TaskItems]:
    """The tasks with those of their items that this rank answers, all turns of them."""
    if ranks.count == 1:
        return list(tasks)
    # A cut of the answers says more of their length than the prompt does.
    costs = [
        a.planned.task.generation.max_new_tokens + len(item.requests[0][0]) / 4 if item.requests else 0.0
        for a in tasks
        for item in a.items
    ]
    mine = iter(ranks.assign_to_ranks(costs, keep_neighbours=False))
    return [replace(a, items=tuple(item for item in a.items if next(mine))) for a in tasks]
