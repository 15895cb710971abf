"""A model folder on this machine, with the identity of its weights."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path

from lensbench.jsonio import JsonObject

__all__ = ["Checkpoint", "file_sha256"]


@dataclass(frozen=True)
class Checkpoint:
    """A model folder on this machine, with the identity of its weights."""

    path: Path
    kind: str
    """"local", "hub" or "wheel"."""
    name: str
    revision: str | None
    digest: str
    """Of the weights: the hub's commit, the SHA-256 of a GGUF file, or one over the files of a local folder."""

    def as_dict(self) -> JsonObject:
        return {key: value for key, value in asdict(self).items() if key != "path"}


def file_sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
