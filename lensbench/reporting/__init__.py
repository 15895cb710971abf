"""Showing a run: the terminal table and the report file."""

from lensbench.reporting.report import write_report
from lensbench.reporting.table import Line, table_lines

__all__ = ["Line", "table_lines", "write_report"]
