"""Rows of CSV and TSV files, in the types that a row definition names. No word means that a value is missing."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lensbench.datasets.rows import Column, Row, RowsSpec
from lensbench.errors import DataError
from lensbench.jsonio import parse_json

__all__ = ["read_delimited"]

_CELL = 1 << 24
"""Characters of a cell; Python's own limit is 131,072, and real questions are longer."""


def read_delimited(path: Path, content: bytes, spec: RowsSpec, delimiter: str) -> list[Row]:
    """The rows of a file whose first line names the columns. Words such as None, NA and null are text like all other words.

    Args:
        content: The file's bytes, unpacked.

    Raises:
        DataError: not UTF-8, a row with more or fewer cells than columns, a column named twice, or a cell that is not of its
            column's type; names the line.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 at byte {error.start}") from None
    before = csv.field_size_limit(_CELL)
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        names = next(reader, [])
        if len(set(names)) != len(names):
            raise DataError(f"{path}, line 1: a column is named twice: {', '.join(names)}")
        rows = []
        for cells in reader:
            if not cells:
                continue
            if len(cells) != len(names):
                raise DataError(f"{path}, line {reader.line_num}: {len(cells)} cells, the first line names {len(names)} columns")
            where = f"{path}, line {reader.line_num}"
            pairs = zip(names, cells, strict=True)
            rows.append({name: _cell(cell, spec.columns.get(name), f"{where}, column '{name}'") for name, cell in pairs})
    except csv.Error as error:
        raise DataError(f"{path}: not a table ({error})") from None
    finally:
        csv.field_size_limit(before)
    return rows


def _cell(cell: str, column: Column | None, where: str) -> Any:
    if column is None or column.type in ("str", "text"):
        return None if column is not None and column.optional and cell == "" else cell
    if cell == "":
        return None
    try:
        return _READERS[column.type](cell)
    except (ValueError, KeyError, DataError):
        raise DataError(f"{where}: expected {column.type}, found {cell[:80]!r}") from None


def _boolean(cell: str) -> bool:
    return {"true": True, "false": False}[cell.lower()]


def _integer(cell: str) -> int:
    if len(cell) > 40:
        raise ValueError("too long")
    return int(cell)


_READERS: dict[str, Callable[[str], Any]] = {"int": _integer, "bool": _boolean, "list": lambda cell: parse_json(cell, "cell")}
