"""The HTML report of one or several runs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lensbench.api.arguments import a_path
from lensbench.api.comparison import groups_without_numbers, run_paths
from lensbench.api.rendering import damage_notes, missing_lines
from lensbench.errors import DataError, UsageError

__all__ = ["Report", "report"]

_FIGURE_BYTES = 2**26


@dataclass(frozen=True)
class Report:
    """A report that was written.

    Attributes:
        path: The HTML file.
        warnings: Runs that are unfinished, records that are missing, lines that could not be read.
    """

    path: Path
    warnings: tuple[str, ...]


def report(
    runs: Sequence[Any], html: str | os.PathLike[str] | None = None, *, figures: Sequence[str | os.PathLike[str]] = ()
) -> Report:
    """Write one HTML file with the tables, figures and every item of runs; it opens from disk, without a network.

    Args:
        runs: `Run` objects, run folders, folders of experiments, or results of lm-evaluation-harness.
        html: The file; None writes `report.html` into the folder of a single run or experiment.
        figures: SVG files that are shown beside the report's own figures.

    Raises:
        UsageError: no run at a path, a run named twice, several runs and no file, or a figure that is no SVG.
        RunError: a run cannot be read, or the file cannot be written.
    """
    from lensbench.records.experiment import EXPERIMENT_FILE
    from lensbench.reporting.html import write_html_report
    from lensbench.reporting.open_runs import open_runs

    given = [a_path("run", getattr(run, "folder", run)) for run in runs]
    found = run_paths(runs)
    # The report of one experiment lies in its folder, as that of one run does.
    home = given[0] if len(given) == 1 and (given[0] / EXPERIMENT_FILE).is_file() else None
    if html is None and home is None and (len(found) > 1 or found != given):
        raise UsageError(
            "several runs, or results of lm-eval, and no output file" if found != given else "several runs, and no output file",
            "Example: ``html=report.html``",
        )
    target = a_path("html", html) if html is not None else (home or found[0]) / "report.html"
    if not target.name:
        raise UsageError(f"``html={target}``: names no file", "Example: ``html=report.html``")
    shown = [_figure(a_path("figures", figure)) for figure in figures]
    warnings = groups_without_numbers(runs)
    read = open_runs(found)
    write_html_report(read, target, shown)
    for run in read:
        if not run.finished:
            warnings.append(f"! {run.folder.path} is unfinished: the report goes as far as it got")
        warnings += [*missing_lines(run.results.missing), *damage_notes(run.folder)]
    return Report(target, tuple(warnings))


def _figure(path: Path) -> Any:
    from lensbench.jsonio import read_bounded
    from lensbench.reporting.html import Figure

    try:
        text = read_bounded(path, _FIGURE_BYTES).decode("utf-8")
    except (DataError, UnicodeDecodeError) as error:
        raise UsageError(f"``figure={path}``: cannot be read ({error})") from None
    if "<svg" not in text:
        raise UsageError(f"``figure={path}``: not an SVG file", "The report can only contain SVG.")
    return Figure(path.stem.replace("_", " "), text)
