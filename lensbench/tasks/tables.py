"""Rows as the table that lm-eval reads, with every column of every row."""

from __future__ import annotations

from typing import Any

from lensbench.datasets.rows import Row
from lensbench.errors import DataError

__all__ = ["table_of"]


def table_of(rows: list[Row], where: str) -> Any:
    """A `datasets.Dataset` with all columns of all rows, in the order in which they come up; null where a row lacks one.

    `Dataset.from_list` takes the columns of the first row, and an optional column that it lacks is lost in all others.

    Raises:
        DataError: a column has values of unlike types.
    """
    import datasets
    import pyarrow

    names = dict.fromkeys(name for row in rows for name in row)
    columns = {name: [row.get(name) for row in rows] for name in names}
    try:
        return datasets.Dataset.from_dict(columns)
    except (pyarrow.ArrowException, TypeError, ValueError, OverflowError) as error:
        for name, values in columns.items():
            try:
                datasets.Dataset.from_dict({name: values})
            except (pyarrow.ArrowException, TypeError, ValueError, OverflowError) as own:
                kinds = sorted({type(value).__name__ for value in values if value is not None})
                unlike = f"values of unlike types ({', '.join(kinds)})"
                said = unlike if len(kinds) > 1 else f"values that fit in no table ({own})"
                raise DataError(f"{where}: column '{name}' has {said}"[:300], "A column holds one type.") from None
        raise DataError(f"{where}: no table can be made of these rows ({error})"[:300]) from None
