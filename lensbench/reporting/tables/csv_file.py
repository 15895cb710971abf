"""A table as CSV: one line for every cell, with all that is known of it, for spreadsheets and scripts."""

from __future__ import annotations

import csv
import io

from lensbench.reporting.tables.escape import csv_text
from lensbench.reporting.tables.model import Table

__all__ = ["write_csv"]


def write_csv(table: Table, *, intervals: bool) -> str:
    """Numbers in printed units (percent, points) and full precision; text that would be a formula is neutralised.

    Args:
        intervals: Not needed: the intervals are columns of their own.
    """
    cells = [cell.fields for section in table.sections if section.in_csv for row in section.rows for cell in row.cells]
    header = list(dict.fromkeys(key for fields in cells for key in fields))
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(map(csv_text, header))
    for fields in cells:
        writer.writerow([_value(fields.get(key)) for key in header])
    return stream.getvalue()


def _value(value: str | float | None) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        # Adding zero takes the sign off a negative zero.
        return f"{round(value, 10) + 0.0:.10g}"
    return str(value) if isinstance(value, int) else csv_text(str(value))
