"""Unpacking gzip files with a limit, because a small file can unpack to a huge one."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import BinaryIO

from lensbench.errors import DataError

__all__ = ["unpacked"]


def unpacked(packed: Path | BinaryIO, where: object, limit: int) -> bytes:
    """What a gzip file holds.

    Args:
        where: What to call it in a message.
        limit: Bytes, unpacked.

    Raises:
        DataError: it is no whole gzip file, or holds more than `limit` bytes.
    """
    try:
        with gzip.open(packed) as stream:
            content = stream.read(limit + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{where}: not a whole gzip file ({error})") from None
    if len(content) > limit:
        raise DataError(f"{where}: unpacks to more than {limit} bytes")
    return content
