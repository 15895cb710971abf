"""Cache of states that do not change between epochs: those before the first trained block, and the reference's for each row."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from safetensors import safe_open
from torch import Tensor

from lensbench.methods.saved import save_tensors

__all__ = ["Key", "StateCache"]

_IN_MEMORY = 2**31
"""Bytes that are held in memory; what comes after goes to a temporary folder."""

Key = tuple[int | str, ...]


class StateCache:
    """Tensors by what was read, a row of token ids and how: a row has the same states wherever it stands.

    Args:
        in_memory: Bytes that may be held in memory.

    Attributes:
        held_bytes: Bytes that are held in memory.
    """

    def __init__(self, in_memory: int = _IN_MEMORY) -> None:
        self._room = in_memory
        self.held_bytes = 0
        self._held: dict[Key, dict[str, Tensor]] = {}
        self._files: dict[Key, Path] = {}
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def __contains__(self, key: Key) -> bool:
        return key in self._held or key in self._files

    def keep(self, key: Key, tensors: dict[str, Tensor]) -> None:
        """Keep copies of tensors on the CPU.

        Raises:
            RunError: the disk of the temporary folder is full.
        """
        copies = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
        size = sum(tensor.nbytes for tensor in copies.values())
        if size <= self._room:
            self._room -= size
            self.held_bytes += size
            self._held[key] = copies
            return
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="lensbench-states-")
        path = Path(self._folder.name) / f"{hashlib.sha256(repr(key).encode()).hexdigest()}.safetensors"
        save_tensors(copies, path)
        self._files[key] = path

    def get(self, key: Key, names: Sequence[str]) -> dict[str, Tensor]:
        """Some of a row's tensors."""
        if key in self._held:
            return {name: self._held[key][name] for name in names}
        with safe_open(self._files[key], framework="pt") as file:
            return {name: file.get_tensor(name) for name in names}

    def __enter__(self) -> StateCache:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.held_bytes = 0
        self._held.clear()
        self._files.clear()
        if self._folder is not None:
            self._folder.cleanup()
