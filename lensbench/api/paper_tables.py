"""A paper's table made from runs."""

from __future__ import annotations

import html
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lensbench.api.arguments import a_path
from lensbench.api.comparison import groups_without_numbers, run_paths
from lensbench.errors import UsageError, unknown_name

if TYPE_CHECKING:
    from lensbench.reporting.tables.model import Table

__all__ = ["PaperTable", "table"]


class PaperTable:
    """A table that is ready to be written in any format."""

    def __init__(self, made: Table, format: str = "md") -> None:
        self._made, self._format = made, format

    @property
    def warnings(self) -> list[str]:
        """Warnings that a reader must see before any number."""
        return list(self._made.warnings)

    @property
    def csv_remarks(self) -> list[str]:
        """Sentences that other formats print below the table, and a line of CSV has no place for."""
        remarks = [remark for section in self._made.sections if section.in_csv for remark in section.remarks]
        return [*dict.fromkeys(remarks), *self._made.remarks]

    def render(self, format: str | None = None, *, intervals: bool = False) -> str:
        """The table as text.

        Args:
            format: "md" (or "markdown"), "latex", "csv" or "html"; None is the one that the table was made with.
            intervals: Also interval, number of items and failures in every cell.

        Raises:
            UsageError: an unknown format.
        """
        from lensbench.reporting.tables import render_table

        return render_table(self._made, format or self._format, intervals=intervals)

    def save(self, path: str | os.PathLike[str], format: str | None = None, *, intervals: bool = False) -> Path:
        """Write the table into a file.

        Raises:
            UsageError: an unknown format.
            RunError: the file cannot be written.
        """
        from lensbench.records import write_atomically

        target = a_path("path", path)
        write_atomically(target, self.render(format, intervals=intervals))
        return target

    def __str__(self) -> str:
        return self.render()

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(self.render('md'))}</pre>"


def table(
    name: str,
    runs: Sequence[Any],
    *,
    format: str = "md",
    published: bool = False,
    paper_backbone: str | None = None,
    judge: str | None = None,
    identifier: str | None = None,
    profile: str | None = None,
    digits: int | None = None,
) -> PaperTable:
    """Make a paper's table of runs.

    Args:
        name: "bilingual", "multilingual", "averages", "cost", "settings", or a YAML file of your own.
        runs: `Run` objects, run folders, folders of experiments, or results of lm-evaluation-harness.
        format: "md" (or "markdown"), "latex", "csv" or "html": what `render` and `save` write where they name none.
        published: Set the numbers against those the papers print.
        paper_backbone: Which of the papers'; None is the run's own.
        judge: Judge whose ratings to show, if the run has several.
        identifier: Whose labels, where a run has several identifiers'.
        profile: Which profile, where runs were asked under several.
        digits: Decimals of all measured numbers, from 0 to 6; None takes those of the table's file.

    Raises:
        UsageError: an unknown name, no run, or what the table asks for is not available from these runs.
    """
    from lensbench.reporting.open_runs import open_runs
    from lensbench.reporting.tables import FORMATS, Choice, build_table, load_table_spec

    if format not in FORMATS:
        raise unknown_name("format", format, FORMATS)
    spec = load_table_spec(name)
    if not runs:
        raise UsageError("no run given", "Name one or several run folders.")
    if paper_backbone is not None and not published:
        raise UsageError("``paper_backbone`` needs ``published``")
    choice = Choice(judge, identifier, profile)
    read = open_runs(run_paths(runs))
    made = build_table(spec, read, choice=choice, published=published, paper_backbone=paper_backbone, digits=digits)
    made.warnings += [warning.removeprefix("! ") for warning in groups_without_numbers(runs)]
    return PaperTable(made, format)
