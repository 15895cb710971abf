"""Lists of names in sentences."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["named"]


def named(names: Sequence[str], most: int = 5) -> str:
    """Names after commas; of many the first, and how many more there are."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
