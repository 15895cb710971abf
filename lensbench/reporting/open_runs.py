"""Run folders as views read them: their results where these are those of the records, else results made now."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lensbench.errors import UsageError
from lensbench.records import RunFolder
from lensbench.reporting.run_view import RunView

__all__ = ["name_runs", "open_runs"]


def open_runs(paths: Sequence[Path]) -> list[RunView]:
    """Runs, as far as they got, each with the name that a view of all of them calls it by.

    Raises:
        UsageError: no run at a path, the same folder twice, or a run that has not begun to score.
        RunError: a run's files cannot be read.
    """
    resolved = [path.resolve() for path in paths]
    twice = next((path for number, path in enumerate(paths) if resolved[number] in resolved[:number]), None)
    if twice is not None:
        raise UsageError(f"{twice} is named twice", "Name every run once.")
    return [RunView.of(_with_numbers(path), label) for path, label in zip(paths, name_runs(paths), strict=True)]


def _with_numbers(path: Path) -> RunFolder:
    folder = RunFolder.existing(path, lenient=True)
    if not folder.has("results.json") and not folder.has("variants.json"):
        raise UsageError(f"{path} has no numbers yet: it has not begun to score", "Give its command again to go on.")
    return folder


def name_runs(paths: Sequence[Path]) -> list[str]:
    """A letter and the folder's name for each run; nothing for a single one."""
    if len(paths) == 1:
        return [""]
    return [f"{chr(ord('A') + number) if number < 26 else number + 1} {path.resolve().name}" for number, path in enumerate(paths)]
