"""Where the content folders (`tasks/`, `judges/`, `reports/`) lie.

In a wheel they travel inside the package, in a checkout they are its neighbours.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["content_dir"]

_PACKAGE = Path(__file__).parent


def content_dir(name: str) -> Path:
    """The folder of one kind of content: "tasks", "judges" or "reports"."""
    shipped = _PACKAGE / "_content" / name
    return shipped if shipped.is_dir() else _PACKAGE.parent / name
