"""What decides the last bits of a result beside the model and the question: packages, device, and the code that computes."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import importlib.util
import os
import platform
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lensbench.jsonio import JsonObject, json_text
from lensbench.records.provenance import cpu_name

__all__ = ["code_of", "environment", "key_of_content", "own_code", "package_code"]

_PACKAGES = ("torch", "transformers", "tokenizers", "numpy", "fasttext-predict")
_SHOWS = frozenset({"api", "cli", "interop", "numbers", "papers", "reporting", "reuse", "stats"})
"""Rooms of lensbench that compute no score, answer or fit."""
_MOST_FILES = 5000


def key_of_content(content: Any) -> str:
    """SHA-256 of the canonical JSON of a content, in hex digits."""
    text = json_text(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def environment(device: Any, dtype: Any) -> JsonObject:
    """What a score, answer or fit depends on beside its question, model and settings.

    The number of threads is part of it where the user fixed it (OMP_NUM_THREADS). Elsewhere lensbench changes it while it
    computes (lensbench/threads.py), so the last bits of two runs on a CPU may differ in any case.

    Args:
        device: Of torch.
        dtype: Of torch.
    """
    import torch

    accelerator = torch.cuda.get_device_name(device) if device.type == "cuda" else None
    threads = torch.get_num_threads() if device.type == "cpu" and "OMP_NUM_THREADS" in os.environ else None
    cpu = [platform.machine(), cpu_name(), torch.backends.cpu.get_cpu_capability()] if device.type == "cpu" else None
    return {
        "device": device.type,
        "accelerator": accelerator,
        "cpu": cpu,
        "threads": threads,
        "dtype": str(dtype),
        "packages": {name: _version(name) for name in _PACKAGES},
        "code": own_code(),
    }


def own_code() -> str | None:
    """Digest of the code of lensbench that computes."""
    return code_of(Path(__file__).parents[1], _SHOWS)


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


@functools.cache
def code_of(folder: Path, without: frozenset[str] = frozenset()) -> str | None:
    """Digest of the Python files below a folder; None if they cannot be read, or are too many to be one package.

    Args:
        without: Folders directly in it that do not count.
    """
    files = sorted(path for path in folder.rglob("*.py") if path.relative_to(folder).parts[0] not in without)
    return _digest((path.relative_to(folder).as_posix(), path) for path in files) if 0 < len(files) <= _MOST_FILES else None


def package_code(target: str) -> str | None:
    """Digest of the Python files of the package that has a `module:attribute`; None if they are not known."""
    top = target.partition(":")[0].partition(".")[0]
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    if spec.submodule_search_locations is not None:
        places = list(spec.submodule_search_locations)
        # A namespace package is no folder of one owner.
        return code_of(Path(places[0])) if len(places) == 1 and spec.origin is not None else None
    return _digest([(top, Path(spec.origin))]) if spec.origin and spec.origin.endswith(".py") else None


def _digest(files: Iterable[tuple[str, Path]]) -> str | None:
    digest = hashlib.sha256()
    try:
        for name, path in files:
            digest.update(f"{name}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    except OSError:
        return None
    return digest.hexdigest()
