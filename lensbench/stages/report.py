"""What a report says of a run: its stored results where they are those of its records, else results made now."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lensbench.errors import RunError, UsageError, in_words
from lensbench.records import RunFolder
from lensbench.reporting.html import Figure, ReportRun, name_runs, write_html_report
from lensbench.stages.results import collect_results, is_current

__all__ = ["current_results", "report_run", "write_comparison"]


def write_comparison(paths: Sequence[Path], target: Path, figures: Sequence[Figure] = ()) -> list[ReportRun]:
    """Write the HTML report of run folders.

    Args:
        figures: SVG figures made elsewhere, shown beside the report's own.

    Returns:
        The runs as they were read: labels, damage, whether they had finished.

    Raises:
        UsageError: no run at a path, or the same folder twice.
        RunError: a run cannot be read, or the report cannot be written.
    """
    resolved = [path.resolve() for path in paths]
    twice = next((path for number, path in enumerate(paths) if resolved[number] in resolved[:number]), None)
    if twice is not None:
        raise UsageError(f"{twice} is named twice", "Name every run once.")
    runs = [
        report_run(RunFolder.existing(path, lenient=True), label) for path, label in zip(paths, name_runs(paths), strict=True)
    ]
    write_html_report(runs, target, figures)
    return runs


def report_run(folder: RunFolder, label: str = "") -> ReportRun:
    """A run as a report reads it.

    Raises:
        UsageError: the run has not begun to score.
        RunError: its records cannot be read and there are no stored results either.
    """
    return ReportRun(folder, current_results(folder), label)


def current_results(folder: RunFolder) -> dict[str, Any]:
    """Results as the records are now.

    Making them takes as long as the bootstrap does, so the stored ones serve where they are as they were written and were made
    from these very records.

    Raises:
        RunError: they cannot be made, and none are stored that could serve.
    """
    stored = _stored(folder)
    if stored is not None and is_current(folder, stored):
        return stored
    if stored is not None and not folder.has("variants.json"):
        unchecked = "a check of these numbers: the folder was sent without what they were made from"
        return {**stored, "gaps": [*stored.get("gaps", ()), unchecked]}
    try:
        return collect_results(folder)
    except RunError as error:
        if stored is None:
            raise
        unchecked = f"a check of these numbers: the records could not be read by this version ({in_words(error.message)})"
        return {**stored, "gaps": [*stored.get("gaps", ()), unchecked]}


def _stored(folder: RunFolder) -> dict[str, Any] | None:
    """`results.json`, where it can serve; one that is damaged is made again."""
    if not folder.has("results.json"):
        return None
    try:
        found: dict[str, Any] = folder.read_json("results.json")
    except RunError:
        return None
    return found if _readable(found) else None


def _readable(results: dict[str, Any]) -> bool:
    """Whether stored results are of a version that has all the fields a report shows."""
    needed = {"unit", "source", "states", "planned", "picks", "signature", "p_holm"}
    return all(needed <= cell.keys() for cell in results.get("cells", [{}])) and all(
        "substitute" in about for about in results.get("tasks", {"": {}}).values()
    )
