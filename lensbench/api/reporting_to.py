"""Default receiver of the API's progress."""

from __future__ import annotations

from lensbench.progress import Progress

__all__ = ["progress_or_default"]


def progress_or_default(progress: Progress | None) -> Progress:
    """The caller's progress object; otherwise bars below a notebook's cell, or bars or lines on stderr."""
    if progress is not None:
        return progress
    from lensbench.notebook import NotebookProgress, in_notebook

    if in_notebook():
        return NotebookProgress()
    from lensbench.display import TerminalProgress

    return TerminalProgress()
