"""The parts of a format: original files in, splits of rows out."""

from __future__ import annotations

import csv
import fnmatch
import functools
import gzip
import hashlib
import io
import json
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from lensbench.datasets.gzipped import unpacked
from lensbench.datasets.importing.problems import Problems, shortened
from lensbench.datasets.importing.sniff import HEAD_BYTES, wrong_content
from lensbench.datasets.rows import Row, load_rows_spec
from lensbench.errors import DataError
from lensbench.jsonio import JsonObject, parse_json
from lensbench.languages import Language
from lensbench.printable import printable
from lensbench.safenames import checked_name

__all__ = ["Context", "Format", "Original", "Skip", "Split"]

_FIRST_LINE_BYTES = 1 << 20
"""Enough for the longest first line of any known release; a longer one is not recognised by its content."""
_UNPACKED_BYTES = 1 << 30
"""A `.gz` that unpacks to more is refused: a few kilobytes can unpack to anything."""


@dataclass(frozen=True)
class Original:
    """One file of an original release. Nothing is read before it is asked for."""

    path: Path
    name: str
    """Path relative to the imported folder, with forward slashes."""

    problems: Problems = field(default_factory=lambda: Problems(strict=True), compare=False)
    """Collector of wrong rows."""

    def __str__(self) -> str:
        return self._printable

    @functools.cached_property
    def _printable(self) -> str:
        return printable(self.path, one_line=True)

    def row(self, line: int) -> AbstractContextManager[None]:
        """Within it, a wrong row is kept as a problem and left out."""
        return self.problems.row(self.name, line)

    @functools.cached_property
    def content(self) -> bytes:
        """The bytes, unpacked where the name ends in `.gz`.

        Raises:
            DataError: not readable, not gzip, cut, or too large once unpacked.
        """
        try:
            raw = self.path.read_bytes()
        except OSError as error:
            raise self._unreadable(error) from None
        # Kept when the content is let go: the manifest wants it at the end.
        self.__dict__["sha256"] = hashlib.sha256(raw).hexdigest()
        return unpacked(io.BytesIO(raw), self, _UNPACKED_BYTES) if self.path.suffix == ".gz" else raw

    @functools.cached_property
    def sha256(self) -> str:
        """SHA-256 of the unchanged file."""
        with self.path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()

    def let_go(self) -> None:
        """Release the content, which may be large; it is read again when it is needed."""
        for name in ("content", "head"):
            self.__dict__.pop(name, None)

    @property
    def plain_name(self) -> str:
        """The file's name without `.gz`."""
        return self.path.name.removesuffix(".gz")

    @property
    def folder(self) -> str:
        """Name of the folder the file lies in, whatever part of the tree is imported."""
        return self.path.absolute().parent.name

    @functools.cached_property
    def head(self) -> bytes:
        """The first bytes, up to the longest first line of any release; unpacked where the name ends in `.gz`.

        Raises:
            DataError: not readable, or not gzip.
        """
        try:
            with self.path.open("rb") as raw:
                start = raw.read(_FIRST_LINE_BYTES)
            if self.path.suffix != ".gz":
                return start
            if not start.startswith(b"\x1f\x8b"):
                raise DataError(f"{self}: {wrong_content(start[:HEAD_BYTES], self.plain_name) or 'not gzip, as its name says'}")
            with gzip.open(self.path) as stream:
                return bytes(stream.read(_FIRST_LINE_BYTES))
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise DataError(f"{self}: not a whole gzip file ({error})") from None
        except OSError as error:
            raise self._unreadable(error) from None

    @property
    def strange(self) -> str | None:
        """What the file is instead of data (a pointer, an error page, another encoding); None where nothing is seen."""
        return wrong_content(self.head[:HEAD_BYTES], self.plain_name)

    @functools.cached_property
    def first_line(self) -> str:
        """For recognising only: undecodable bytes are replaced, so that a damaged file is still known for its kind."""
        return self.head.partition(b"\n")[0].decode("utf-8-sig", "replace").rstrip("\r\n")

    @functools.cached_property
    def first_object(self) -> JsonObject:
        """The JSON object on the first line, or an empty one."""
        if not self.first_line.lstrip().startswith("{"):
            return {}
        try:
            value = parse_json(self.first_line, self.name)
        except DataError:
            return {}
        return value if isinstance(value, dict) else {}

    @functools.cached_property
    def first_element(self) -> JsonObject:
        """The first object of a JSON list, or of JSON lines; else an empty one."""
        text = self.head.decode("utf-8-sig", "replace").lstrip()
        if not text.startswith("["):
            return self.first_object
        text = text[1:].lstrip()
        try:
            value, _ = json.JSONDecoder().raw_decode(text)
        except (ValueError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}

    @functools.cached_property
    def first_cells(self) -> tuple[str, ...]:
        """The CSV cells of the first line (a quoted cell that runs on ends with the line); none where it is no CSV."""
        try:
            return tuple(next(csv.reader(io.StringIO(self.first_line, newline="")), ()))
        except csv.Error:
            return ()

    def _unreadable(self, error: OSError) -> DataError:
        return DataError(f"{self}: could not be read ({error.strerror or error})")


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
    records: list[Row]
    originals: tuple[Original, ...]
    licence: str
    stand_in: str | None = None
    notes: tuple[str, ...] = ()
    expected: int | None = None
    """Rows that the whole release has of this language and split; None where that is not known."""
    seen: int | None = None
    """Rows of the original that were read for this split, those left out included; None: as many as there are records."""
    rank: int = 0
    """Rank among several originals of one file; the lowest is used."""
    numbered: bool = False
    """The column `id` was made here from the number of the row."""
    warnings: tuple[str, ...] = ()
    """Warnings that a user should check before using the rows."""

    @property
    def path(self) -> str:
        """`<rows>/<the data set's own language code>/<split>.parquet`; the canonical code where the set has none.

        Raises:
            UsageError: the split's name, which may come from a file's, cannot be part of a path.
        """
        config = load_rows_spec(self.rows).config_of(self.language) or self.language.code
        return f"{self.rows}/{checked_name(config, 'language')}/{checked_name(self.split, 'split')}.parquet"


@dataclass
class Context:
    """What a format may look at besides its own files, and where it leaves notes on no single split."""

    originals: Mapping[str, Sequence[Original]]
    """Format name -> the files recognised as it."""
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    prefer: tuple[str, ...] = ()
    """Patterns of originals that are taken where several would become one file."""
    used: set[str] = field(default_factory=set)
    """Those of the patterns that some original fitted."""

    def preferred(self, originals: Sequence[Original]) -> bool:
        """Whether the user chose one of these originals."""
        fitting = {pattern for each in originals for pattern in self.prefer if fnmatch.fnmatchcase(each.name, pattern)}
        self.used |= fitting
        return bool(fitting)

    def warn(self, text: str) -> None:
        self.warnings.append(shortened(text))

    def note(self, text: str) -> None:
        self.notes.append(shortened(text))


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
