"""What the store holds, and removing it."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from lensbench.reuse.entry import KINDS, Damaged, read_header

__all__ = ["File", "Held", "clear", "files_of", "held", "other_bytes", "trim"]

_PARTIAL = ".partial"
_ABANDONED = 24 * 3600.0
"""Seconds after which a file that was never renamed is what a killed process left."""


@dataclass(frozen=True)
class File:
    """One file of the store.

    Attributes:
        used: Time of the last use, in seconds since 1970.
    """

    path: Path
    kind: str
    size: int
    used: float


@dataclass(frozen=True)
class Held:
    """Entries of one kind and one backbone.

    Attributes:
        backbone: Its name; None for entries that cannot be read.
        count: Scores, answers, conversations or fits in the entries.
        size: Bytes of the files.
        used: Time of the last use of the latest, in seconds since 1970.
    """

    kind: str
    backbone: str | None
    entries: int
    count: int
    size: int
    used: float


def files_of(folder: Path) -> Iterator[File]:
    """All files of a store, also unfinished ones. Files that others remove meanwhile are passed over."""
    for kind in KINDS:
        for path in _scan(folder / kind):
            try:
                found = path.stat(follow_symlinks=False)
            except OSError:
                continue
            yield File(path, kind, found.st_size, found.st_mtime)


def _scan(folder: Path) -> Iterator[Path]:
    try:
        groups = [Path(entry.path) for entry in os.scandir(folder) if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return
    for group in groups:
        try:
            yield from [Path(entry.path) for entry in os.scandir(group) if entry.is_file(follow_symlinks=False)]
        except OSError:
            continue


def held(folder: Path) -> list[Held]:
    """The entries of a store by kind and backbone."""
    found: dict[tuple[str, str | None], list[tuple[File, int]]] = {}
    for file in files_of(folder):
        backbone, count = None, 0
        if file.path.suffix == _PARTIAL:
            continue
        try:
            header = read_header(file.path)
            backbone, count = header.backbone, header.count
        except (Damaged, OSError):
            pass
        found.setdefault((file.kind, backbone), []).append((file, count))
    return [
        Held(kind, backbone, len(files), sum(n for _, n in files), sum(f.size for f, _ in files), max(f.used for f, _ in files))
        for (kind, backbone), files in sorted(found.items(), key=lambda one: (KINDS.index(one[0][0]), one[0][1] or ""))
    ]


def clear(folder: Path, kinds: Collection[str], older_than: float | None = None) -> tuple[int, int]:
    """Remove entries.

    Args:
        kinds: Whose entries go.
        older_than: Seconds since their last use; None removes all.

    Returns:
        How many files were removed, and their bytes.
    """
    now, number, size = time.time(), 0, 0
    for file in list(files_of(folder)):
        old = older_than is None or now - file.used > older_than
        # Another process is about to rename an unfinished one.
        done = file.path.suffix != _PARTIAL or _abandoned(file, now)
        if file.kind in kinds and old and done and _removed(file):
            number, size = number + 1, size + file.size
    return number, size


def trim(folder: Path, most: int) -> int:
    """Remove files until no more than `most` bytes are left: what a killed process left, then what was not used for longest.

    Returns:
        Bytes that are left.
    """
    files, now = list(files_of(folder)), time.time()
    left = sum(file.size for file in files)
    left -= sum(file.size for file in files if _abandoned(file, now) and _removed(file))
    for file in sorted((file for file in files if file.path.suffix != _PARTIAL), key=lambda file: file.used):
        if left <= most:
            break
        left -= file.size if _removed(file) else 0
    return left


def _abandoned(file: File, now: float) -> bool:
    return file.path.suffix == _PARTIAL and now - file.used > _ABANDONED


def _removed(file: File) -> bool:
    try:
        file.path.unlink()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def other_bytes(cache: Path, store: Path) -> dict[str, int]:
    """Bytes of the other folders of a cache folder, by name; `clear` does not touch them."""
    sizes: dict[str, int] = {}
    try:
        folders = sorted(entry.name for entry in os.scandir(cache) if entry.is_dir(follow_symlinks=False))
    except OSError:
        return sizes
    for name in folders:
        if cache / name != store:
            sizes[name] = sum(_bytes_below(cache / name))
    return sizes


def _bytes_below(folder: Path) -> Iterator[int]:
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                yield (Path(parent) / name).stat(follow_symlinks=False).st_size
            except OSError:
                continue
