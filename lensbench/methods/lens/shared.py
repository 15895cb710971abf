"""States that several fits on one backbone read once: what their settings leave equal is not computed again.

A row has the same states in every fit, whatever its weights, rank, strengths or first trained block: probing reads the untouched
backbone, and so do the blocks below the trained ones and the reference. One pass through all blocks therefore serves every first
trained block that one of the fits has.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType

from torch import Tensor

from lensbench.methods.base import KeptStates
from lensbench.methods.lens.config import LensConfig
from lensbench.methods.lens.state_cache import Key, StateCache

__all__ = ["REFERENCE", "START", "SharedStates", "keys_of", "read_layers"]

START, REFERENCE = "start.", "reference."
"""Beginnings of the names of a training row's tensors; a block or a layer follows. Those of a probing row are layers."""


def read_layers(config: LensConfig, n_layers: int) -> tuple[int, ...]:
    """Layers whose states the losses read: the final norm's, or the output of every trained block in its place.

    Raises:
        UsageError: the model has no such first block.
    """
    start = config.start_index(n_layers)
    return (n_layers,) if config.loss_layer == "final_norm" else (*range(start, n_layers - 1), n_layers)


def keys_of(kind: str, rows: Sequence[Sequence[int | str]]) -> list[Key]:
    """Keys of rows that are read together: what a row is read with decides the last bits of its states."""
    together = hashlib.sha256(repr([list(row) for row in rows]).encode()).hexdigest()[:16]
    return [(kind, together, *row) for row in rows]


class SharedStates:
    """A cache of states by row, with the seconds that each took.

    Args:
        starts: First trained blocks of all fits, 0-based: states in front of each are kept.
        layers: Layers that any fit reads.
        in_memory: Bytes that may be held in memory; the rest goes to a temporary folder. None is the cache's own default.
        kept: States of earlier runs, and where later ones find those of this one.
    """

    def __init__(
        self, starts: Iterable[int], layers: Iterable[int], in_memory: int | None = None, kept: KeptStates | None = None
    ) -> None:
        self.starts, self.layers = tuple(sorted(set(starts))), tuple(sorted(set(layers)))
        self._kept = kept
        self._asked: set[Key] = set()
        """Rows that `kept` was asked for."""
        self._cache = StateCache() if in_memory is None else StateCache(in_memory)
        self._seconds: dict[Key, float] = {}
        self._counted: set[Key] = set()
        self.taken_seconds = 0.0
        """What it took to compute the states that the fit under way took from earlier ones."""

    @classmethod
    def of(cls, configs: Sequence[LensConfig], n_layers: int, kept: KeptStates | None = None) -> SharedStates:
        """For fits with these settings; a setting that the model does not have is left to its own fit to refuse."""
        fine = [c for c in configs if c.has_start(n_layers)]
        starts = [c.start_index(n_layers) for c in fine]
        # One fit reads its rows once or twice: they need not be in memory.
        in_memory = None if len(configs) > 1 else 0
        return cls(starts, (layer for c in fine for layer in read_layers(c, n_layers)), in_memory, kept)

    @property
    def held_bytes(self) -> int:
        """Bytes in memory."""
        return self._cache.held_bytes

    def begin(self) -> None:
        """Another fit begins."""
        self._counted, self.taken_seconds = set(), 0.0

    def covers(self, keys: Sequence[Key], names: Sequence[str]) -> bool:
        """Whether all of these are there, which are then taken; none of them is loaded.

        Args:
            names: Which of a row's tensors are wanted.
        """
        for key in keys:
            if key not in self._cache:
                self._look(key, names)
        if not all(key in self._cache for key in keys):
            return False
        for key in set(keys) - self._counted:
            self._counted.add(key)
            self.taken_seconds += self._seconds[key]
        return True

    def load(self, keys: Iterable[Key], names: Sequence[str]) -> dict[Key, dict[str, Tensor]]:
        """Some tensors of rows that are there, on the CPU."""
        return {key: self._cache.get(key, names) for key in dict.fromkeys(keys)}

    def _look(self, key: Key, names: Sequence[str]) -> None:
        """Take over what an earlier run kept of a row, if it has everything that this session reads of one."""
        if self._kept is None or key in self._asked:
            return
        self._asked.add(key)
        held = self._kept.read(key)
        if held is not None and set(self._every_name(names)) <= held[0].keys():
            self._cache.keep(key, held[0])
            self._seconds[key] = held[1]

    def _every_name(self, names: Sequence[str]) -> list[str]:
        """All tensors of a row that any fit reads: of a training row those of every first trained block."""
        if not any(name.startswith(START) for name in names):
            return [str(layer) for layer in self.layers]
        return [*(f"{START}{start}" for start in self.starts), *(f"{REFERENCE}{layer}" for layer in self.layers)]

    def keep(self, rows: Mapping[Key, dict[str, Tensor]], seconds: float) -> None:
        """Keep the states of rows that were read together in some seconds.

        Raises:
            RunError: the disk of the temporary folder is full.
        """
        for key, tensors in rows.items():
            self._cache.keep(key, tensors)
            self._seconds[key] = seconds / len(rows)
            self._counted.add(key)
            if self._kept is not None:
                self._kept.write(key, tensors, self._seconds[key])

    def __enter__(self) -> SharedStates:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._cache.__exit__(kind, error, trace)
