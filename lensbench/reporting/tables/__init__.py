"""The tables of papers from runs: specs in `reports/tables/`, cells from results, print in Markdown, LaTeX, CSV and HTML."""

from lensbench.reporting.tables.build import FORMATS, build_table, render_table
from lensbench.reporting.tables.gather import Choice
from lensbench.reporting.tables.run_folders import table_runs
from lensbench.reporting.tables.runs import TableRun
from lensbench.reporting.tables.specs import load_table_spec, table_specs

__all__ = ["FORMATS", "Choice", "TableRun", "build_table", "load_table_spec", "render_table", "table_runs", "table_specs"]
