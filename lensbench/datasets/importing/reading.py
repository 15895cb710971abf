"""Reading text, JSON and CSV so that every complaint names file, line and column.

Lines are physical: they end at a line feed and nowhere else. `str.splitlines` would also cut at the rarer Unicode line
breaks that stand inside sentences and cells.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from lensbench.datasets.importing.model import Original
from lensbench.datasets.rows import Row, check_rows, load_rows_spec, row_hash, strings_in
from lensbench.errors import DataError
from lensbench.jsonio import JsonObject, parse_json
from lensbench.languages import Language, language_of

__all__ = [
    "Once",
    "as_object",
    "checked",
    "checked_width",
    "column",
    "csv_records",
    "json_document",
    "json_lines",
    "json_records",
    "known_language",
    "label",
    "lines",
    "named_columns",
    "text_of",
]

T = TypeVar("T")
_ALONE = re.compile(r"\r(?!\n)")


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
        DataError: not UTF-8, an empty file, or a carriage return without a line feed: rows would run together,
            and those after them would have other numbers.
    """
    text = text_of(original)
    parts = text.split("\n")
    if not parts[-1]:
        parts.pop()
    if not parts:
        raise DataError(f"{original}: the file is empty")
    alone = _ALONE.search(text)
    if alone:
        place = text.count("\n", 0, alone.start()) + 1
        wrong = f"{original}, line {place}: a carriage return alone, where another row may begin"
        raise DataError(wrong, "Convert the line ends first: tr '\\r' '\\n'.")
    for number, line in enumerate(parts, start=1):
        _refuse_mark(line, f"{original}, line {number}")
        yield number, line.removesuffix("\r")


def _refuse_mark(text: str, where: str) -> None:
    """Where a row begins with a byte-order mark, the first row of another file was appended."""
    if text.startswith("\ufeff"):
        raise DataError(f"{where}: a byte-order mark before a row, as where one file was appended to another")


def json_lines(original: Original) -> Iterator[tuple[int, JsonObject]]:
    """Numbered objects of a JSON-lines file; blank lines are passed over, and wrong ones kept as problems.

    Raises:
        DataError: not UTF-8, or an empty file.
    """
    for number, line in lines(original):
        if line.strip():
            record: Row | None = None
            with original.row(number):
                where = f"{original}, line {number}"
                record = as_object(parse_json(line, where), where)
            if record is not None:
                yield number, record


def json_document(original: Original) -> Any:
    """The value of a JSON file.

    Raises:
        DataError: not UTF-8 or not JSON.
    """
    return parse_json(text_of(original), str(original))


def json_records(original: Original) -> Iterator[tuple[int, JsonObject]]:
    """Numbered objects of a JSON list or of JSON lines; wrong ones are kept as problems.

    Raises:
        DataError: not UTF-8, an empty file, or a list that is not JSON.
    """
    if not original.first_line.lstrip().startswith("["):
        yield from json_lines(original)
        return
    found = json_document(original)
    for number, value in enumerate(found if isinstance(found, list) else [found], start=1):
        record: Row | None = None
        with original.row(number):
            record = as_object(value, f"{original}, record {number}")
        if record is not None:
            yield number, record


def checked(row: Row, rows: str, where: str) -> Row:
    """The row, if it is one of the data set and can be stored.

    Args:
        rows: Name of the row definition.
        where: File and line.

    Raises:
        DataError: what the definition does not allow; half of a surrogate pair, or a NUL character.
    """
    try:
        check_rows([row], load_rows_spec(rows), where)
    except DataError as error:
        raise DataError(error.message.replace(f"{where}, row 1", where, 1), error.hint) from None
    for name, value in row.items():
        for text in strings_in(value):
            try:
                text.encode("utf-8")
            except UnicodeEncodeError:
                raise DataError(f"{where}, column '{name}': half of a surrogate pair cannot be stored") from None
            if "\x00" in text:
                raise DataError(f"{where}, column '{name}': a NUL character")
    return row


@dataclass
class Once:
    """Values that may stand in a file once."""

    what: str
    """The column, for the message."""
    _lines: dict[Any, int] = field(default_factory=dict)

    def check_row(self, value: Any, row: Row, line: int, where: str) -> None:
        """Take note of a row under its identifier. Another row under the same one is a warning on the file, not an error here.

        Raises:
            DataError: an earlier line has the same row.
        """
        first = self._lines.setdefault((value, row_hash(row)), line)
        if first != line:
            raise DataError(f"{where}, column '{self.what}': the row of {value!r} stands in line {first} too")

    def check(self, value: Any, line: int, where: str, written: object = None) -> None:
        """Take note of a value.

        Args:
            written: How the file writes it, where that differs.

        Raises:
            DataError: an earlier line has it.
        """
        first = self._lines.setdefault(value, line)
        if first != line:
            same = f"{value!r} stands" if written in (None, value) else f"{written!r} is {value!r}, which stands"
            raise DataError(f"{where}, column '{self.what}': {same} in line {first} too")


def as_object(value: Any, where: str) -> JsonObject:
    """The value, if it is a JSON object.

    Raises:
        DataError: it is something else.
    """
    if not isinstance(value, dict):
        raise DataError(f"{where}: expected an object, found {type(value).__name__}")
    return value


def csv_records(original: Original, columns: int, delimiter: str = ",") -> Iterator[tuple[int, list[str]]]:
    """Records of a CSV file, numbered by the physical line they begin on; a quoted cell may span lines.

    A record of another width is kept as a problem.

    Raises:
        DataError: not UTF-8, or broken quoting, after which nobody can say where the next record begins.
    """
    reader = csv.reader(io.StringIO(text_of(original), newline=""), delimiter=delimiter, strict=True)
    line = 1
    try:
        for record in reader:
            if record:
                _refuse_mark(record[0], f"{original}, line {line}")
                cells: list[str] = []
                with original.row(line):
                    cells = checked_width(record, columns, f"{original}, line {line}")
                if cells:
                    yield line, cells
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


def column(record: Row, name: str, kind: type[T], where: str) -> T:
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
