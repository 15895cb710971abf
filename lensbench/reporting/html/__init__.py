"""The comparison report: one HTML file that opens from disk, holds every item, and asks nothing of a network."""

from lensbench.reporting.html.page import Figure, write_html_report
from lensbench.reporting.html.run_folders import report_run, write_comparison
from lensbench.reporting.html.runs import ReportRun, name_runs

__all__ = ["Figure", "ReportRun", "name_runs", "report_run", "write_comparison", "write_html_report"]
