"""The cache folder for converted models, replies of judges and imported results."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["cache_dir"]


def cache_dir() -> Path:
    """LENSBENCH_CACHE, else `~/.cache/lensbench` (XDG_CACHE_HOME honoured)."""
    explicit = os.environ.get("LENSBENCH_CACHE")
    if explicit:
        return Path(explicit)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lensbench"
