"""Run folders as the HTML report reads them: their results where these are those of the records, else results made now."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lensbench.errors import UsageError
from lensbench.numbers.results import current_results
from lensbench.records import RunFolder
from lensbench.reporting.html.page import Figure, write_html_report
from lensbench.reporting.html.runs import ReportRun, name_runs

__all__ = ["report_run", "write_comparison"]


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
