"""A user's text files, line by line, with line numbers for messages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lensbench.errors import DataError

__all__ = ["filled_lines"]


def filled_lines(path: Path, content: bytes) -> Iterator[tuple[str, str]]:
    """`path, line N` and the text, for every line that is not blank; a mark of byte order is no part of it.

    Args:
        content: Of the file, so that it can be hashed as it was read.

    Raises:
        DataError: a line is not UTF-8; names it.
    """
    # Only line feeds end a line: texts hold other characters that str.splitlines would cut at.
    for number, raw in enumerate(content.split(b"\n"), start=1):
        where = f"{path}, line {number}"
        try:
            line = raw.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r")
        except UnicodeDecodeError as error:
            raise DataError(f"{where}: not UTF-8 at byte {error.start} of the line") from None
        if line.strip():
            yield where, line
