"""States that several fits on one backbone read once: what their settings leave equal is not computed again.

A row has the same states in every fit, whatever its weights, rank, strengths or first trained block: probing reads the untouched
backbone, and so do the blocks below the trained ones and the reference. One pass through all blocks therefore serves every first
trained block that one of the fits has.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType

from torch import Tensor

from lensbench.methods.lens.config import LensConfig
from lensbench.methods.lens.state_cache import Key, StateCache

__all__ = ["SharedStates", "read_layers"]


def read_layers(config: LensConfig, n_layers: int) -> tuple[int, ...]:
    """Layers whose states the losses read: the final norm's, or the output of every trained block in its place.

    Raises:
        UsageError: the model has no such first block.
    """
    start = config.start_index(n_layers)
    return (n_layers,) if config.loss_layer == "final_norm" else (*range(start, n_layers - 1), n_layers)


class SharedStates:
    """A cache of states by row, with the seconds that each took.

    Args:
        starts: First trained blocks of all fits, 0-based: states in front of each are kept.
        layers: Layers that any fit reads.
        in_memory: Bytes that may be held in memory; the rest goes to a temporary folder. None is the cache's own default.
    """

    def __init__(self, starts: Iterable[int], layers: Iterable[int], in_memory: int | None = None) -> None:
        self.starts, self.layers = tuple(sorted(set(starts))), tuple(sorted(set(layers)))
        self._cache = StateCache() if in_memory is None else StateCache(in_memory)
        self._seconds: dict[Key, float] = {}
        self._counted: set[Key] = set()
        self.taken_seconds = 0.0
        """What it took to compute the states that the fit under way took from earlier ones."""

    @classmethod
    def of(cls, configs: Sequence[LensConfig], n_layers: int) -> SharedStates:
        """For fits with these settings; a setting that the model does not have is left to its own fit to refuse."""
        fine = [c for c in configs if c.has_start(n_layers)]
        return cls((c.start_index(n_layers) for c in fine), (layer for c in fine for layer in read_layers(c, n_layers)))

    @property
    def held_bytes(self) -> int:
        """Bytes in memory."""
        return self._cache.held_bytes

    def begin(self) -> None:
        """Another fit begins."""
        self._counted, self.taken_seconds = set(), 0.0

    def find(self, keys: Iterable[Key], names: Iterable[str]) -> dict[Key, dict[str, Tensor]]:
        """Those that are there, on the CPU.

        Args:
            names: Which of a row's tensors are wanted.
        """
        wanted = tuple(names)
        found = {key: self._cache.get(key, wanted) for key in keys if key in self._cache}
        for key in found.keys() - self._counted:
            self._counted.add(key)
            self.taken_seconds += self._seconds[key]
        return found

    def keep(self, rows: Mapping[Key, dict[str, Tensor]], seconds: float) -> None:
        """Keep the states of rows that were read together in some seconds.

        Raises:
            RunError: the disk of the temporary folder is full.
        """
        for key, tensors in rows.items():
            self._cache.keep(key, tensors)
            self._seconds[key] = seconds / len(rows)
            self._counted.add(key)

    def __enter__(self) -> SharedStates:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._cache.__exit__(kind, error, trace)
