"""Reading text, JSON and CSV so that every complaint names file, line and column.

Lines are physical: they end at a line feed and nowhere else. `str.splitlines` would also cut at the rarer Unicode line
breaks that stand inside sentences and cells.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Collection, Iterator, Sequence
from typing import Any, TypeVar

from lensbench.data.importing.model import Original
from lensbench.errors import DataError
from lensbench.languages import Language, language_of

__all__ = [
    "as_object",
    "checked_width",
    "column",
    "csv_records",
    "json_document",
    "json_lines",
    "known_language",
    "label",
    "lines",
    "named_columns",
    "text_of",
]

T = TypeVar("T")


def text_of(original: Original) -> str:
    """The file as text. A byte-order mark is dropped: before an opening quote it would turn quoting off.

    Raises:
        DataError: not UTF-8; names the line.
    """
    try:
        return original.content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        wrong = f"{original}, line {line}: not UTF-8 (byte 0x{error.object[error.start]:02x})"
        raise DataError(wrong, "Convert the file to UTF-8 first.") from None


def lines(original: Original) -> Iterator[tuple[int, str]]:
    """Numbered physical lines without their end (LF or CRLF).

    Raises:
        DataError: not UTF-8, or an empty file.
    """
    parts = text_of(original).split("\n")
    if not parts[-1]:
        parts.pop()
    if not parts:
        raise DataError(f"{original}: the file is empty")
    for number, line in enumerate(parts, start=1):
        yield number, line.removesuffix("\r")


def json_lines(original: Original) -> Iterator[tuple[int, dict[str, Any]]]:
    """Numbered objects of a JSON-lines file; blank lines are passed over.

    Raises:
        DataError: not UTF-8, an empty file, a line that is not JSON or not an object.
    """
    for number, line in lines(original):
        if line.strip():
            yield number, as_object(_parse(line, f"{original}, line {number}"), f"{original}, line {number}")


def json_document(original: Original) -> Any:
    """The value of a JSON file.

    Raises:
        DataError: not UTF-8 or not JSON.
    """
    return _parse(text_of(original), str(original))


def _parse(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        place = f", line {error.lineno}" if "\n" in text else ""
        raise DataError(f"{where}{place}: not JSON ({error.msg} at character {error.colno})") from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: not JSON that can be read ({error})") from None


def as_object(value: Any, where: str) -> dict[str, Any]:
    """The value, if it is a JSON object.

    Raises:
        DataError: it is something else.
    """
    if not isinstance(value, dict):
        raise DataError(f"{where}: expected an object, found {type(value).__name__}")
    return value


def csv_records(original: Original, columns: int, delimiter: str = ",") -> Iterator[tuple[int, list[str]]]:
    """Records of a CSV file, numbered by the physical line they begin on; a quoted cell may span lines.

    Raises:
        DataError: not UTF-8, broken quoting, or a record whose number of cells is not `columns`.
    """
    reader = csv.reader(io.StringIO(text_of(original), newline=""), delimiter=delimiter, strict=True)
    line = 1
    try:
        for record in reader:
            if record:
                yield line, checked_width(record, columns, f"{original}, line {line}")
            line = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{original}, line {line}: not CSV ({error})") from None


def checked_width(cells: list[str], columns: int, where: str) -> list[str]:
    """The cells, if there are as many as there should be.

    Raises:
        DataError: too few or too many.
    """
    if len(cells) != columns:
        raise DataError(f"{where}: expected {columns} columns, found {len(cells)}")
    return cells


def named_columns(found: Sequence[str], wanted: Collection[str], where: str) -> None:
    """Check that a header has the columns that are needed.

    Raises:
        DataError: one is missing; names all that are.
    """
    missing = [name for name in wanted if name not in found]
    if missing:
        plural = "columns" if len(missing) > 1 else "column"
        raise DataError(f"{where}: missing {plural} {', '.join(repr(name) for name in missing)}", f"Found: {', '.join(found)}.")


def column(record: dict[str, Any], name: str, kind: type[T], where: str) -> T:
    """One typed value of an object.

    Raises:
        DataError: the key is missing, or its value is of another type.
    """
    if name not in record:
        raise DataError(f"{where}: column '{name}' is missing", f"Found: {', '.join(record)}.")
    value = record[name]
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise DataError(f"{where}, column '{name}': expected {kind.__name__}, found {type(value).__name__} {value!r}")
    return value


def label(value: str, codes: dict[str, T], where: str, name: str) -> T:
    """A label in the hub's code.

    Raises:
        DataError: the original has a code that its format does not know.
    """
    if value not in codes:
        raise DataError(f"{where}, column '{name}': label {value!r} is none of {list(codes)}")
    return codes[value]


def known_language(dataset: str, code: str) -> Language:
    """The language that a data set calls `code`.

    Raises:
        DataError: the language table has none; formats skip such files when they recognise them.
    """
    language = language_of(dataset, code)
    if language is None:
        raise DataError(f"'{code}' is no code of {dataset} in the language table")
    return language
