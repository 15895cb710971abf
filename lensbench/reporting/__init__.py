"""Showing a run: the terminal table and the report file."""

from lensbench.reporting.text.report import write_report
from lensbench.reporting.text.table import Line, table_lines

__all__ = ["Line", "table_lines", "write_report"]
