"""Values of a parquet table as the values that JSON has: what a row holds is hashed, written and shown as JSON."""

from __future__ import annotations

import base64
import datetime
from typing import Any

from lensbench.datasets.rows import Row
from lensbench.errors import DataError

__all__ = ["plain_rows", "plain_value"]


def plain_rows(table: Any, where: str) -> list[Row]:
    """The rows of a `pyarrow.Table`. Dates and times become ISO 8601 texts, decimals texts, bytes base64, maps lists of
    `{key, value}`.

    Raises:
        DataError: a column's values cannot be read; names the column.
    """
    columns: dict[str, list[Any]] = {}
    for name in table.column_names:
        if name in columns:
            raise DataError(f"{where}: two columns are called '{name}'")
        column = table.column(name)
        try:
            columns[name] = column.to_pylist()
        except (ValueError, OverflowError, ArithmeticError, UnicodeError, TypeError, NotImplementedError) as error:
            # A time with nanoseconds, a year above 9999, a text that is not UTF-8: what Arrow has and Python has not.
            columns[name] = _as_texts(column, f"{where}: column '{name}'", error)
        if not _is_plain(column.type):
            columns[name] = [plain_value(value) for value in columns[name]]
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def plain_value(value: Any) -> Any:
    """The value as text, number, list or mapping with texts for keys."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, tuple):
        # An entry of a map; a list of two unlike values would fit in no column of a table.
        return {"key": plain_value(value[0]), "value": plain_value(value[1])}
    if isinstance(value, list):
        return [plain_value(part) for part in value]
    if isinstance(value, dict):
        return {str(key): plain_value(part) for key, part in value.items()}
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    return str(value)


def _as_texts(column: Any, where: str, error: Exception) -> list[Any]:
    import pyarrow

    try:
        return [None if one is None else str(one) for one in column.cast(pyarrow.string()).to_pylist()]
    except (pyarrow.ArrowException, UnicodeError, ValueError, NotImplementedError):
        raise DataError(f"{where} cannot be read ({type(error).__name__}: {error})"[:300]) from None


def _is_plain(kind: Any) -> bool:
    from pyarrow import types

    if types.is_list(kind) or types.is_large_list(kind):
        return _is_plain(kind.value_type)
    return bool(
        types.is_integer(kind)
        or types.is_floating(kind)
        or types.is_boolean(kind)
        or types.is_string(kind)
        or types.is_large_string(kind)
        or types.is_null(kind)
    )
