"""The language files that a run was made with, for what is done to it later."""

from __future__ import annotations

from pathlib import Path

from lensbench.languages import add_languages
from lensbench.records import RunFolder

__all__ = ["add_run_languages"]


def add_run_languages(folder: RunFolder) -> None:
    """Take up the `languages.yaml` of the run's task and data folders, where they are still there.

    Raises:
        UsageError: such a file is wrong; with file and line.
    """
    if not folder.has("run.json"):
        return
    spec = folder.spec()
    add_languages(Path(place) for place in (*spec.include, spec.data) if Path(place).is_absolute() or place in spec.include)
