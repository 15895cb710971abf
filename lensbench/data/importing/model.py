"""The parts a format is made of: original files in, splits of rows out."""

from __future__ import annotations

import csv
import functools
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lensbench.data.rows import load_rows_spec
from lensbench.errors import UnavailableError
from lensbench.languages import Language

__all__ = ["Context", "Format", "Original", "Skip", "Split"]

_FIRST_LINE_BYTES = 1 << 20
"""Enough for the longest first line of any known release; a longer one is not recognised by its content."""


@dataclass(frozen=True)
class Original:
    """One file of an original release. Nothing is read before it is asked for."""

    path: Path
    name: str
    """Relative to the folder that is imported, with forward slashes."""

    def __str__(self) -> str:
        return str(self.path)

    @functools.cached_property
    def content(self) -> bytes:
        try:
            return self.path.read_bytes()
        except OSError as error:
            raise UnavailableError(f"{self.path}: could not be read ({error.strerror or error})") from None

    @property
    def folder(self) -> str:
        """Name of the folder the file lies in, whatever part of the tree is imported."""
        return self.path.absolute().parent.name

    @functools.cached_property
    def first_line(self) -> str:
        """For recognising only: undecodable bytes are replaced, so that a damaged file is still known for its kind."""
        try:
            with self.path.open("rb") as stream:
                return stream.readline(_FIRST_LINE_BYTES).decode("utf-8-sig", "replace").rstrip("\r\n")
        except OSError as error:
            raise UnavailableError(f"{self.path}: could not be read ({error.strerror or error})") from None

    @functools.cached_property
    def first_object(self) -> dict[str, Any]:
        """The JSON object on the first line, or an empty one."""
        if not self.first_line.lstrip().startswith("{"):
            return {}
        try:
            value = json.loads(self.first_line)
        except (ValueError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}

    @functools.cached_property
    def first_cells(self) -> tuple[str, ...]:
        """The CSV cells of the first line (a quoted cell that runs on ends with the line)."""
        return tuple(next(csv.reader(io.StringIO(self.first_line, newline="")), ()))


@dataclass(frozen=True)
class Skip:
    """A file that is known and on purpose not imported."""

    reason: str


@dataclass(frozen=True)
class Split:
    """Rows in the hub's field names: what becomes one parquet file."""

    rows: str
    language: Language
    split: str
    records: list[dict[str, Any]]
    originals: tuple[Original, ...]
    licence: str
    stand_in: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """`<rows>/<the data set's own language code>/<split>.parquet`; the canonical code where the set has none."""
        config = load_rows_spec(self.rows).config_of(self.language) or self.language.code
        return f"{self.rows}/{config}/{self.split}.parquet"


@dataclass
class Context:
    """What a format may look at besides its own files, and where it leaves notes on no single split."""

    originals: Mapping[str, Sequence[Original]]
    """Format name -> the files recognised as it."""
    notes: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        self.notes.append(text)


@dataclass(frozen=True)
class Format:
    """One kind of original release file.

    Attributes:
        name: Unique; how other formats find its files.
        recognise: The group a file belongs to, a `Skip`, or None for a file of another kind. Files of one group are
            converted together. Looks at the file's name and beginning only, and never fails on content.
        convert: The splits of one group. Raises `DataError` with file, line and column.
    """

    name: str
    recognise: Callable[[Original], str | Skip | None]
    convert: Callable[[Sequence[Original], Context], Iterator[Split]]
