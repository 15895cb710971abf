"""The tables of papers from runs: specs in `reports/tables/`, cells from results, print in Markdown, LaTeX, CSV and HTML."""

from lensbench.reporting.tables.build import FORMATS, build_table, render_table
from lensbench.reporting.tables.gather import Choice
from lensbench.reporting.tables.specs import load_table_spec, table_specs

__all__ = ["FORMATS", "Choice", "build_table", "load_table_spec", "render_table", "table_specs"]
