"""The comparison report: one HTML file that opens from disk, holds every item, and asks nothing of a network."""

from lensbench.reporting.html.page import Figure, write_html_report

__all__ = ["Figure", "write_html_report"]
