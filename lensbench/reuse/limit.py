"""How many bytes the store may hold: `LENSBENCH_CACHE_SIZE`."""

from __future__ import annotations

import os

from lensbench.sizes import parse_size

__all__ = ["size_limit"]

_VARIABLE = "LENSBENCH_CACHE_SIZE"
_DEFAULT = 5 * 2**30


def size_limit() -> int:
    """The limit in bytes, 5 GiB if none is set; 0 switches the store off.

    Raises:
        UsageError: `LENSBENCH_CACHE_SIZE` is no size.
    """
    text = os.environ.get(_VARIABLE, "")
    return parse_size(text, _VARIABLE) if text.strip() else _DEFAULT
