"""The language files of a run, for later commands on it."""

from __future__ import annotations

from pathlib import Path

from lensbench.languages import add_languages
from lensbench.records import RunFolder

__all__ = ["add_run_languages"]


def add_run_languages(folder: RunFolder) -> None:
    """Load the `languages.yaml` of the run's task and data folders, if they still exist.

    Raises:
        UsageError: such a file is wrong; with file and line.
    """
    if not folder.has("run.json"):
        return
    spec = folder.spec()
    add_languages(Path(place) for place in (*spec.include, spec.data) if Path(place).is_absolute() or place in spec.include)
