"""Results of a stage, cached on disk text by text, so that a killed fit continues and another fit reuses them.

One small file per text in the cache folder, so that several processes can share it; its name is a hash of everything that can
change what comes out.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lensbench.cache import cache_dir
from lensbench.datasets.rows import canonical_json
from lensbench.errors import DataError
from lensbench.jsonio import read_json_file
from lensbench.records import write_atomically

__all__ = ["CachedText", "TextCache"]


@dataclass(frozen=True)
class CachedText:
    """One text that a stage has made from another."""

    text: str
    state: str
    """"ok", or why it cannot be used: "empty", "cut" (no end within the limit), "not_finite" (logits), "too_long" (its
    source), "missing"."""
    tokens: int = 0
    """Generated for it."""
    seconds: float = 0.0
    """Its share of the wall time of the start that made it."""


class TextCache:
    """The texts of one stage with one signature.

    Args:
        stage: Folder beside those of other stages.
        signature: Everything but the source text that can change the result; JSON-ready.
    """

    def __init__(self, stage: str, signature: Mapping[str, Any]) -> None:
        self._folder = cache_dir() / "sdrrl" / stage
        self._signature = signature

    def get(self, source: str) -> CachedText | None:
        """The cached result for a source text; a damaged file counts as missing."""
        key = self._key(source)
        try:
            content = read_json_file(self._path(key))
            return CachedText(**content["made"]) if content["key"] == key else None
        except (DataError, ValueError, KeyError, TypeError):
            return None

    def put(self, source: str, made: CachedText) -> None:
        """Keep it.

        Raises:
            RunError: the disk is full, or the file cannot be written.
        """
        key = self._key(source)
        path = self._path(key)
        # Two processes may keep one text at the same time; each renames a file of its own.
        own = path.with_name(f"{key}.{os.getpid()}")
        write_atomically(own, json.dumps({"key": key, "made": asdict(made)}, ensure_ascii=False))
        own.replace(path)

    def _key(self, source: str) -> str:
        return hashlib.sha256(canonical_json([self._signature, source]).encode("utf-8", "surrogatepass")).hexdigest()

    def _path(self, key: str) -> Path:
        return self._folder / key[:2] / f"{key}.json"
