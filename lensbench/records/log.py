"""Append-only item records: JSONL, one line per item and variant, flushed immediately.

A process that dies leaves at most one unfinished line at the end; it is cut off when the file is next opened, and counted.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from lensbench.errors import DataError, RunError
from lensbench.jsonio import JsonObject, json_text, parse_json
from lensbench.records.reader import as_json
from lensbench.records.types import Record

__all__ = ["Line", "RecordLog", "finished_lines", "key_of", "read_objects"]

Line = Record | JsonObject
"""Input of a log: a record, or the JSON of a record from another process."""


class RecordLog:
    """One file of records, open for appending. Every record has a `key`, and each key is written once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self.repaired_bytes = _cut_unfinished_line(path)
        self._keys = {value["key"] for _, value in read_objects(path)}
        self._stream = path.open("ab")

    def __contains__(self, key: str) -> bool:
        return key in self._keys

    def __len__(self) -> int:
        return len(self._keys)

    def keys(self) -> list[str]:
        """Keys of all records, in rising order."""
        return sorted(self._keys)

    def note(self, keys: Iterable[str]) -> None:
        """Count records that another process has written as there."""
        self._keys.update(keys)

    def append(self, records: Iterable[Line]) -> None:
        """Write records and flush them.

        Raises:
            RunError: the disk is full, or the file cannot be written; what was written before stays valid.
        """
        fresh = self._fresh(records)
        lines = b"".join(
            json_text(record, separators=(",", ":")).encode("utf-8", "surrogatepass") + b"\n" for record in fresh.values()
        )
        try:
            self._stream.write(lines)
            self._stream.flush()
            os.fsync(self._stream.fileno())
        except OSError as error:
            raise write_failed(self.path, error) from None
        self._keys.update(fresh)

    def _fresh(self, records: Iterable[Line]) -> dict[str, JsonObject]:
        """Key -> what is to be written of the records whose key is new; the first of equal keys."""
        fresh: dict[str, JsonObject] = {}
        for record in records:
            key = key_of(record)
            if key not in self._keys and key not in fresh:
                fresh[key] = as_json(record) if isinstance(record, Record) else record
        return fresh

    def close(self) -> None:
        try:
            self._stream.close()
        except OSError as error:
            raise write_failed(self.path, error) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None:
            self.close()
            return
        try:
            self._stream.close()
        except OSError:
            # The block is already failing, most likely for the same reason; its error is the one to show.
            return


def key_of(record: Line) -> str:
    return record.key if isinstance(record, Record) else str(record["key"])


def read_objects(path: Path) -> Iterator[tuple[int, JsonObject]]:
    """Number (from 1) and JSON object of every line of a file of records, without an unfinished last line.

    Raises:
        RunError: a finished line is not a JSON object with a key; names the line.
    """
    for number, line in finished_lines(path):
        try:
            value = parse_json(line, "")
        except DataError as error:
            raise not_a_record(path, number, error.message.removeprefix(": ")) from None
        if not isinstance(value, dict) or not isinstance(value.get("key"), str):
            raise not_a_record(path, number, "it has no key")
        yield number, value


def not_a_record(path: Path, number: int, reason: str) -> RunError:
    return RunError(f"{path}, line {number}: not an item record ({reason})", "Delete that line; its item is then asked again.")


def finished_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Number (from 1) and bytes of every finished line; empty if there is no file."""
    if not path.is_file():
        return
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.endswith(b"\n"):
                # It may grow while it is read; what comes next would be the rest of it.
                return
            yield number, line


def write_failed(path: Path, error: OSError) -> RunError:
    """The message for a failed write; the same for every file of a run folder."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return RunError(f"{path}: the disk is full", "Free some space and run the same command again to continue.")
    return RunError(f"{path}: could not be written ({error.strerror})")


def _cut_unfinished_line(path: Path) -> int:
    """Cut what follows the last newline; returns the bytes cut."""
    if not path.is_file():
        return 0
    with path.open("r+b") as stream:
        size = stream.seek(0, os.SEEK_END)
        position = size
        while position > 0:
            step = min(65536, position)
            stream.seek(position - step)
            newline = stream.read(step).rfind(b"\n")
            if newline >= 0:
                position = position - step + newline + 1
                break
            position -= step
        if position < size:
            stream.truncate(position)
        return size - position
