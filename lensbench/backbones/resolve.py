"""Where a backbone's files are: a local folder, the hub, or a package of the Python registry, in this order."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lensbench.backbones.folder import check_folder
from lensbench.backbones.registry import Backbone, Wheel
from lensbench.errors import LensbenchError, UnavailableError

__all__ = ["Checkpoint", "cache_dir", "file_sha256", "find_checkpoint"]

_FILES = ["*.json", "*.safetensors", "*.jinja", "*.model", "tokenizer*", "*.txt"]
_CODE = ["*.py"]
"""Fetched only where it may run."""
_NOT = ["consolidated*.safetensors", "*/*"]
"""The same weights a second time, in another program's layout; what lies in subfolders is not read."""


@dataclass(frozen=True)
class Checkpoint:
    """A model folder on this machine, and what its weights are."""

    path: Path
    kind: str
    """"local", "hub" or "wheel"."""
    name: str
    revision: str | None
    digest: str
    """Of the weights: the hub's commit, the SHA-256 of a GGUF file, or one over the files of a local folder."""

    def as_dict(self) -> dict[str, Any]:
        return {key: value for key, value in asdict(self).items() if key != "path"}


def cache_dir() -> Path:
    """LENSBENCH_CACHE, else `~/.cache/lensbench` (XDG_CACHE_HOME honoured)."""
    explicit = os.environ.get("LENSBENCH_CACHE")
    if explicit:
        return Path(explicit)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lensbench"


def find_checkpoint(
    backbone: Backbone, *, revision: str | None = None, say: Callable[[str], None] = lambda text: None, trust: bool = False
) -> Checkpoint:
    """Find (and if need be fetch or convert) the files of a backbone.

    Args:
        revision: Hub commit a run was begun with; None resolves the backbone's own revision.
        say: Receives one line before anything that takes long.
        trust: Whether Python code of a model given as folder or hub id may run; only then is it fetched, and part of the digest.

    Raises:
        UnavailableError: a file of the folder is broken; no source had it; says what was tried and what can be given instead.
    """
    trust = trust and backbone.is_given
    if backbone.path is not None:
        return _local(backbone.path, trust)
    shelf = os.environ.get("LENSBENCH_MODELS")
    if shelf and (Path(shelf) / backbone.backbone / "config.json").is_file():
        return _local(Path(shelf) / backbone.backbone)
    failures = []
    if backbone.hub:
        try:
            return _from_hub(backbone.hub, revision or backbone.revision, say, trust)
        except LensbenchError as error:
            failures.append(error.message)
    if backbone.wheel:
        try:
            return _from_wheel(backbone.wheel, say)
        except LensbenchError as error:
            failures.append(error.message)
    hint = f"Give a model folder: --backbone PATH, or put it at $LENSBENCH_MODELS/{backbone.backbone}."
    if backbone.wheel:
        hint += f" Or: pip install --no-deps {backbone.wheel.package}=={backbone.wheel.version}"
    raise UnavailableError(f"could not get the backbone '{backbone.backbone}': " + "; ".join(failures), hint)


def _local(path: Path, trust: bool = False) -> Checkpoint:
    check_folder(path)
    return Checkpoint(path, "local", str(path), None, _folder_digest(path.resolve(), trust))


@functools.cache
def _folder_digest(path: Path, trust: bool = False) -> str:
    kinds = {".safetensors", ".json", ".jinja", ".model", *([".py"] if trust else [])}
    files = sorted(p for p in path.iterdir() if p.suffix in kinds)
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.name.encode() + bytes.fromhex(file_sha256(file)))
    return digest.hexdigest()


def file_sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _from_hub(hub: str, revision: str, say: Callable[[str], None], trust: bool = False) -> Checkpoint:
    wanted: dict[str, Any] = {"allow_patterns": [*_FILES, *(_CODE if trust else [])], "ignore_patterns": _NOT}
    try:
        from huggingface_hub import HfApi, snapshot_download
    except ImportError:
        raise UnavailableError("the package 'huggingface_hub' is missing", "pip install 'lensbench[engines]'") from None
    try:
        sha = HfApi().model_info(hub, revision=revision, timeout=20).sha
    except Exception as error:
        name = type(error).__name__
        text = (str(error).strip().splitlines() or [name])[0][:160]
        if "NotFound" not in name and "Gated" not in name:
            cached = _cached_snapshot(hub, revision, wanted)
            if cached is not None:
                return cached
        reason = "is gated; accept its terms there and set HF_TOKEN" if "Gated" in name else f"could not be had ({name}: {text})"
        raise UnavailableError(f"hub model {hub} {reason}") from None
    say(f"fetching {hub}@{str(sha)[:12]} from the hub")
    try:
        path = Path(snapshot_download(hub, revision=sha, **wanted))
    except Exception as error:
        gated = "is gated; accept its terms there and set HF_TOKEN" if "Gated" in type(error).__name__ else f"failed: {error}"
        raise UnavailableError(f"the download of hub model {hub} {gated}") from None
    return Checkpoint(path, "hub", hub, sha, f"hub:{hub}@{sha}")


def _cached_snapshot(hub: str, revision: str, wanted: dict[str, Any]) -> Checkpoint | None:
    """A snapshot fetched earlier, when the hub is out of reach; its folder is named by the commit."""
    from huggingface_hub import snapshot_download

    try:
        path = Path(snapshot_download(hub, revision=revision, local_files_only=True, **wanted))
    except (OSError, ValueError):
        return None
    if not any(path.glob("*.safetensors")):
        return None
    return Checkpoint(path, "hub", hub, path.name, f"hub:{hub}@{path.name}")


def _from_wheel(wheel: Wheel, say: Callable[[str], None]) -> Checkpoint:
    found = importlib.util.find_spec(wheel.module)
    if found is None or not found.submodule_search_locations:
        raise UnavailableError(f"the package {wheel.package} is not installed")
    gguf = Path(found.submodule_search_locations[0]) / wheel.file
    if not gguf.is_file():
        raise UnavailableError(f"the installed package {wheel.package} has no {wheel.file}; {wheel.version} has it")
    from lensbench.backbones.gguf import converted

    return converted(gguf, wheel, cache_dir() / "models", say)
