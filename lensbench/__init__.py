"""lensbench: benchmark harness for methods that make language models multilingual."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from lensbench.version import __version__

if TYPE_CHECKING:
    from lensbench.frames import RunFrames

__all__ = ["__version__", "load"]


def load(run: str | os.PathLike[str]) -> RunFrames:
    """A run folder as pandas frames: `load(RUN).items`, `load(RUN).cells`.

    Raises:
        UsageError: there is no run in the folder.
    """
    from lensbench.frames import load as load_frames

    return load_frames(run)
