"""One entry of the store: a file of two lines, what it is and its content, so that a list reads the first line only."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lensbench.errors import DataError, LensbenchError
from lensbench.jsonio import json_text, parse_json

__all__ = ["KINDS", "Damaged", "Header", "entry_bytes", "read_bytes", "read_entry", "read_header"]

KINDS = ("scores", "answers", "identified", "noise", "fits", "states")
"""Kinds of entries, each in a folder of its own."""
_FORMAT = 1
_HEADER_BYTES = 2**16


class Damaged(LensbenchError):
    """A file of the store is not the entry that it should be; the message says why."""


@dataclass(frozen=True)
class Header:
    """The first line of an entry.

    Attributes:
        backbone: Name of the backbone, for lists.
        count: Scores, answers, conversations, fits or rows in it.
        sha256: Of the bytes of the content.
    """

    kind: str
    key: str
    backbone: str
    count: int
    sha256: str


def entry_bytes(kind: str, key: str, backbone: str, count: int, content: Any) -> bytes:
    """The file of an entry.

    Args:
        content: Bytes, which are kept as they are, or what JSON can hold.
    """
    body = content if isinstance(content, bytes) else json_text(content, separators=(",", ":")).encode("utf-8", "surrogatepass")
    head = {
        "format": _FORMAT,
        "kind": kind,
        "key": key,
        "backbone": backbone,
        "count": count,
        "sha256": hashlib.sha256(body).hexdigest(),
    }
    return json_text(head).encode() + b"\n" + body + b"\n"


def read_header(path: Path) -> Header:
    """The first line of a file.

    Raises:
        Damaged: it is no entry.
        OSError: the file cannot be read.
    """
    with path.open("rb") as stream:
        return _header(stream.readline(_HEADER_BYTES))


def read_entry(path: Path, kind: str, key: str) -> Any:
    """The content of an entry that JSON holds.

    Raises:
        Damaged: it is no entry, another one, or its content has changed.
        OSError: the file cannot be read.
    """
    try:
        return parse_json(read_bytes(path, kind, key), "")
    except DataError as error:
        raise Damaged(error.message.removeprefix(": ")) from None


def read_bytes(path: Path, kind: str, key: str) -> bytes:
    """The content of an entry as it was kept.

    Raises:
        Damaged: it is no entry, another one, or its content has changed.
        OSError: the file cannot be read.
    """
    first, _, rest = path.read_bytes().partition(b"\n")
    header = _header(first + b"\n")
    if (header.kind, header.key) != (kind, key):
        raise Damaged("it is another entry")
    body = rest.removesuffix(b"\n")
    if hashlib.sha256(body).hexdigest() != header.sha256:
        raise Damaged("its content has changed since it was written")
    return body


def _header(line: bytes) -> Header:
    if not line.endswith(b"\n"):
        raise Damaged("it has no first line")
    try:
        found = parse_json(line, "")
    except DataError:
        raise Damaged("its first line is no JSON") from None
    texts = [found.get(name) for name in ("kind", "key", "backbone", "sha256")] if isinstance(found, dict) else []
    if not texts or not all(isinstance(text, str) for text in texts) or not isinstance(found.get("count"), int):
        raise Damaged("its first line does not say what it is")
    if found.get("format") != _FORMAT:
        raise Damaged("another version of lensbench wrote it")
    kind, key, backbone, sha256 = texts
    return Header(str(kind), str(key), str(backbone), found["count"], str(sha256))
