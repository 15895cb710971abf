"""Sizes in bytes, as people write them."""

from __future__ import annotations

import re

from lensbench.errors import UsageError

__all__ = ["parse_size"]

_FACTORS = {"": 1, "b": 1, **{f"{unit}{end}": 1000**n for n, unit in enumerate("kmgt", 1) for end in ("", "b")}}
_FACTORS |= {f"{unit}ib": 1024**n for n, unit in enumerate("kmgt", 1)}


def parse_size(text: str | int, name: str) -> int:
    """Bytes of a number, or of a text such as "8GiB", "500 MB" or "0".

    Args:
        name: Of the setting, for the message.

    Raises:
        UsageError: it is no size.
    """
    if isinstance(text, int) and not isinstance(text, bool) and text >= 0:
        return text
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", text, re.ASCII) if isinstance(text, str) else None
    if found is None or found[2].lower() not in _FACTORS:
        raise UsageError(f"{name} is {text!r}, which is no size", "Examples: 8GiB, 500MB, 1048576 (bytes).")
    return int(float(found[1]) * _FACTORS[found[2].lower()])
