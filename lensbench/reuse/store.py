"""Reading and writing of entries. No fault of the disk or of an entry ends a run: it is said, and the work is done again.

Each entry is a file of its own that is written under a temporary name and renamed, so that several processes can share the
folder, also on a network file system. The time of a file is that of its last use.
"""

from __future__ import annotations

import os
import secrets
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from lensbench.cache import cache_dir
from lensbench.reuse.entry import Damaged, entry_bytes, read_bytes, read_entry
from lensbench.reuse.limit import size_limit
from lensbench.reuse.listing import files_of, trim

__all__ = ["Store", "open_store", "store_folder"]

_Content = TypeVar("_Content")

_FOLDER = "finished"
_AFTER_TRIM = 0.9
"""Share of the limit that is left after entries were removed, so that not every new entry removes another one."""


def store_folder() -> Path:
    """The folder of the store, in the cache folder."""
    return cache_dir() / _FOLDER


def open_store(notify: Callable[[str], None]) -> Store | None:
    """The store of this user; None if its limit is 0.

    Raises:
        UsageError: `LENSBENCH_CACHE_SIZE` is no size.
    """
    limit = size_limit()
    return Store(store_folder(), limit, notify) if limit else None


class Store:
    """The entries of a folder.

    Args:
        limit: Bytes that its files may have together; what was not used for longest is removed first.
        notify: Told once of each kind of fault.
    """

    def __init__(self, folder: Path, limit: int, notify: Callable[[str], None]) -> None:
        self.folder, self._limit, self._notify = folder, limit, notify
        self.damaged: Counter[str] = Counter()
        """Damaged entries by kind."""
        self._bytes: int | None = None
        self._replaced: set[Path] = set()
        self._said: set[str] = set()

    @property
    def limit(self) -> int:
        """Bytes that the files may have together."""
        return self._limit

    def path(self, kind: str, key: str) -> Path:
        return self.folder / kind / key[:2] / f"{key}.json"

    def has(self, kind: str, key: str) -> bool:
        """Whether there is an entry that was not found to be damaged."""
        path = self.path(kind, key)
        return path not in self._replaced and path.is_file()

    def get(self, kind: str, key: str) -> Any | None:
        """The content of an entry that JSON holds; None if there is none, or a damaged one."""
        return self._read(kind, key, read_entry)

    def get_bytes(self, kind: str, key: str) -> bytes | None:
        """The content of an entry that was kept as bytes; None if there is none, or a damaged one."""
        return self._read(kind, key, read_bytes)

    def _read(self, kind: str, key: str, read: Callable[[Path, str, str], _Content]) -> _Content | None:
        path = self.path(kind, key)
        try:
            if not path.is_file():
                return None
            content = read(path, kind, key)
        except Damaged as error:
            self.report_damage(kind, key, error.message)
            return None
        except FileNotFoundError:
            # Another process has just removed it.
            return None
        except OSError as error:
            self._say(f"cache: {self.folder} cannot be read ({error.strerror or error}); its work is done again")
            return None
        with suppress(OSError):
            os.utime(path)
        return content

    def report_damage(self, kind: str, key: str, reason: str) -> None:
        """Say that an entry is damaged, and remove it; the next `put` writes it again."""
        path = self.path(kind, key)
        self.damaged[kind] += 1
        self._replaced.add(path)
        self._notify(f"! cache: an entry of {kind} is damaged and is computed again: {path}: {reason}")
        with suppress(OSError):
            path.unlink()

    def put(self, kind: str, key: str, content: Any, *, backbone: str, count: int, replace: bool = False) -> bool:
        """Add an entry, if there is none with this key.

        Args:
            backbone: Name of the backbone, for lists.
            content: Bytes, or what JSON can hold.
            count: Scores, answers, conversations, fits or rows in it.
            replace: Write it also if there is one.

        Returns:
            Whether the entry is there.
        """
        path = self.path(kind, key)
        if self.has(kind, key) and not replace:
            return True
        data = entry_bytes(kind, key, backbone, count, content)
        if len(data) > self._limit:
            self._say(f"cache: an entry of {len(data):,} bytes is not kept: the limit is {self._limit:,} bytes")
            return False
        try:
            self._make_room(len(data))
            _write(path, data)
        except OSError as error:
            self._say(f"cache: finished work is not kept in {self.folder}: {error.strerror or error}")
            return False
        self._replaced.discard(path)
        return True

    def _make_room(self, size: int) -> None:
        if self._bytes is None:
            self._bytes = sum(file.size for file in files_of(self.folder))
        self._bytes += size
        if self._bytes > self._limit:
            self._bytes = size + trim(self.folder, int(self._limit * _AFTER_TRIM) - size)

    def _say(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            self._notify(text)


def _write(path: Path, data: bytes) -> None:
    """Write a file whole or not at all. It is not synced: after a loss of power, its digest tells that it is damaged."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}-{secrets.token_hex(4)}.partial")
    try:
        with partial.open("xb") as stream:
            stream.write(data)
        partial.replace(path)
    except BaseException:
        with suppress(OSError):
            partial.unlink()
        raise
