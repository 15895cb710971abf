"""From a spec and runs to text."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lensbench.errors import UsageError, unknown_name
from lensbench.papers import load_published
from lensbench.reporting.run_view import RunView
from lensbench.reporting.tables.averages import averages_table
from lensbench.reporting.tables.cost import cost_table
from lensbench.reporting.tables.csv_file import write_csv
from lensbench.reporting.tables.gather import Choice
from lensbench.reporting.tables.html_page import write_html
from lensbench.reporting.tables.latex import write_latex
from lensbench.reporting.tables.markdown import write_markdown
from lensbench.reporting.tables.model import Table
from lensbench.reporting.tables.paper_comparison import check_paper_backbone
from lensbench.reporting.tables.schema import MOST_DIGITS, AveragesTable, CostTable, ScoreTable, SettingsTable, TableSpec
from lensbench.reporting.tables.scores import score_table
from lensbench.reporting.tables.settings import settings_table

__all__ = ["FORMATS", "build_table", "render_table"]

FORMATS: dict[str, Callable[..., str]] = {
    "md": write_markdown,
    "markdown": write_markdown,
    "latex": write_latex,
    "csv": write_csv,
    "html": write_html,
}
"""Name -> writer."""


def build_table(
    spec: TableSpec,
    runs: Sequence[RunView],
    *,
    choice: Choice | None = None,
    published: bool = False,
    paper_backbone: str | None = None,
    digits: int | None = None,
) -> Table:
    """The table of a spec.

    Args:
        published: Whether to set the numbers against those of the papers that the spec names.
        paper_backbone: The papers' backbone, where it is not to be the run's own.
        digits: Decimals of all measured numbers, from 0 to 6; None takes those of the spec.

    Raises:
        UsageError: what the spec asks for cannot be had from these runs, or a name is not known.
    """
    if digits is not None:
        spec = _with_digits(spec, digits)
    for run in runs:
        # What is wrong with a run is said before what is wrong with its numbers.
        _ = run.targets
    papers = [load_published(name) for name in spec.published] if published else []
    if published:
        check_paper_backbone(papers, paper_backbone)
    if isinstance(spec, ScoreTable):
        return score_table(spec, runs, choice or Choice(), papers, paper_backbone)
    if isinstance(spec, AveragesTable):
        return averages_table(spec, runs, choice or Choice(), papers, paper_backbone)
    if isinstance(spec, CostTable):
        return cost_table(spec, runs, papers, paper_backbone)
    return settings_table(spec, runs, papers, paper_backbone)


def _with_digits(spec: TableSpec, digits: int) -> TableSpec:
    if isinstance(spec, SettingsTable):
        raise UsageError(
            f"``digits``: the table '{spec.table}' shows settings as they were given, and rounds none", "Leave ``digits`` out."
        )
    if not 0 <= digits <= MOST_DIGITS:
        raise UsageError(f"``digits`` must be from 0 to {MOST_DIGITS}, found {digits}")
    return spec.model_copy(update={"digits": spec.digits.model_copy(update={"every": digits})})


def render_table(table: Table, format: str, *, intervals: bool = False) -> str:
    """The table as text.

    Args:
        format: One of `FORMATS`.
        intervals: Show interval, items and failures in every cell.

    Raises:
        UsageError: unknown format, with the nearest.
    """
    if format not in FORMATS:
        raise unknown_name("format", format, FORMATS)
    return FORMATS[format](table, intervals=intervals)
