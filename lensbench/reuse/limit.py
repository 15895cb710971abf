"""How many bytes the store may hold: `LENSBENCH_CACHE_SIZE`."""

from __future__ import annotations

import os
import re

from lensbench.errors import UsageError

__all__ = ["size_limit", "size_of"]

_VARIABLE = "LENSBENCH_CACHE_SIZE"
_DEFAULT = 5 * 2**30
_UNITS = {"": 1, "b": 1, **{f"{unit}{end}": 1000**n for n, unit in enumerate("kmgt", 1) for end in ("", "b")}}
_UNITS |= {f"{unit}ib": 1024**n for n, unit in enumerate("kmgt", 1)}


def size_of(text: str) -> int:
    """Bytes of a text such as `5GiB`, `500 MB` or `0`.

    Raises:
        ValueError: it is no size.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", text, re.ASCII)
    if found is None or found[2].lower() not in _UNITS:
        raise ValueError(text)
    return int(float(found[1]) * _UNITS[found[2].lower()])


def size_limit() -> int:
    """The limit in bytes, 5 GiB if none is set; 0 switches the store off.

    Raises:
        UsageError: `LENSBENCH_CACHE_SIZE` is no size.
    """
    text = os.environ.get(_VARIABLE, "")
    if not text.strip():
        return _DEFAULT
    try:
        return size_of(text)
    except ValueError:
        raise UsageError(
            f"{_VARIABLE} is '{text}', which is no size", "Examples: 5GiB, 500MB; 0 switches the cache off."
        ) from None
