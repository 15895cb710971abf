"""Reading and writing of JSON: limits of size and depth, byte-order marks ignored, messages with file and line.

Files that a user or a stranger wrote are read here and nowhere else. What is written never holds NaN or an infinity, which
JSON does not have.
"""

from __future__ import annotations

import json
import math
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lensbench.errors import DataError

__all__ = [
    "MAX_FILE_BYTES",
    "MAX_LINE_BYTES",
    "JsonObject",
    "finite",
    "json_text",
    "parse_json",
    "read_json_file",
    "read_json_lines",
]

JsonObject = dict[str, Any]
"""A JSON object as it was read, or as it will be written."""
MAX_FILE_BYTES = 2**30
"""A JSON document above this is refused; the results of a run with 10,000 cells take some 30 MB."""
MAX_LINE_BYTES = 2**26
"""One line of a JSON-lines file above this is refused."""
MAX_DEPTH = 200
"""Deeper nesting is refused: nothing that is read here nests ten deep, and walkers of the value recurse too."""

_SURROGATE = re.compile("[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]")
"""Not two that follow each other: escaped, they would be read as one character."""
_BOM = b"\xef\xbb\xbf"


def parse_json(content: str | bytes, where: str) -> Any:
    """The value of a JSON text.

    Args:
        where: What to call the text in a message: a file, or `file, line N`.

    Raises:
        DataError: not UTF-8, not JSON, nested more than 200 deep, or an integer with more digits than Python reads.
    """
    if isinstance(content, bytes):
        try:
            content = content.removeprefix(_BOM).decode("utf-8", "surrogatepass")
        except UnicodeDecodeError as error:
            raise DataError(f"{where}: not UTF-8 at byte {error.start}") from None
    try:
        value = _value_of(content.removeprefix("\ufeff"))
    except RecursionError:
        raise DataError(f"{where}: JSON nested too deep to be read") from None
    except json.JSONDecodeError as error:
        place = f", line {error.lineno}" if "\n" in content.rstrip("\n") else ""
        raise DataError(f"{where}{place}: not JSON ({error.msg} at character {error.colno})") from None
    except ValueError as error:
        raise DataError(f"{where}: not JSON that can be read ({error})") from None
    # What opens no more brackets cannot nest deeper; most lines are such, and looking through them takes as long as reading them.
    if content.count("[") + content.count("{") > MAX_DEPTH:
        _refuse_depth(value, where)
    return value


_decoder = json.JSONDecoder()


def _value_of(text: str) -> Any:
    """Same as `json.loads`, which takes 1.5 times as long for a line of a run."""
    if text[:1] in ("", " ", "\t", "\n", "\r"):
        return json.loads(text)
    value, end = _decoder.raw_decode(text)
    return value if not text[end:].strip(" \t\n\r") else json.loads(text)


def read_json_file(path: Path, *, limit: int = MAX_FILE_BYTES) -> Any:
    """The value of a JSON file.

    Raises:
        DataError: no such file, no plain file (a folder, a pipe, a device), larger than `limit` bytes, not UTF-8, not JSON.
    """
    return parse_json(read_bounded(path, limit), str(path))


def read_json_lines(path: Path) -> Iterator[tuple[int, JsonObject]]:
    """Line number (from 1) and object of every line; blank lines carry nothing and are passed over.

    Raises:
        DataError: as in `read_json_file`, a line of more than 64 MiB, or a line that is not an object; says which.
    """
    _plain_file(path)
    try:
        with path.open("rb") as stream:
            number = 0
            while line := stream.readline(MAX_LINE_BYTES + 1):
                number += 1
                where = f"{path}, line {number}"
                if len(line) > MAX_LINE_BYTES:
                    raise DataError(f"{where}: longer than {MAX_LINE_BYTES} bytes")
                if number == 1:
                    line = line.removeprefix(_BOM)
                if not line.strip():
                    continue
                value = parse_json(line, where)
                if not isinstance(value, dict):
                    raise DataError(f"{where}: expected an object, found {type(value).__name__}")
                yield number, value
    except OSError as error:
        raise DataError(f"{path}: could not be read ({error.strerror or error})") from None


def read_bounded(path: Path, limit: int = MAX_FILE_BYTES) -> bytes:
    """The bytes of a plain file.

    Raises:
        DataError: no such file, no plain file, more than `limit` bytes, or not readable.
    """
    size = _plain_file(path)
    if size > limit:
        raise DataError(f"{path}: {size} bytes, more than the {limit} that are read")
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: could not be read ({error.strerror or error})") from None


def json_text(value: Any, **options: Any) -> str:
    """Strict JSON. A NaN or an infinity becomes null, and a lone surrogate is escaped: JSON has no such numbers and UTF-8 no such
    characters, and one of them makes a whole file unreadable."""
    options.setdefault("ensure_ascii", False)
    try:
        text = json.dumps(value, allow_nan=False, **options)
    except ValueError:
        text = json.dumps(finite(value), allow_nan=False, **options)
    return text if text.isascii() else _SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def finite(value: Any) -> Any:
    """The same value with None in place of every number that is not finite."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [finite(part) for part in value]
    return value


def _plain_file(path: Path) -> int:
    try:
        found = path.stat()
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: could not be read ({getattr(error, 'strerror', None) or error})") from None
    if stat.S_ISDIR(found.st_mode):
        raise DataError(f"{path} is a folder, a file was expected")
    if not stat.S_ISREG(found.st_mode):
        raise DataError(f"{path} is not a plain file")
    return found.st_size


def _refuse_depth(value: Any, where: str) -> None:
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(MAX_DEPTH):
        if not level:
            return
        level = [
            part
            for whole in level
            for part in (whole.values() if isinstance(whole, dict) else whole)
            if isinstance(part, dict | list)
        ]
    if level:
        raise DataError(f"{where}: JSON nested more than {MAX_DEPTH} deep")
