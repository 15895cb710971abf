"""Problems of originals, collected during an import, so that one bad row does not stop the rest."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field

from lensbench.errors import DataError
from lensbench.jsonio import JsonObject

__all__ = ["Problem", "Problems", "shortened"]

_SENTENCE = re.compile(r"(?<=[.?!]) ")

_SHOWN = 500
"""Characters at either end of a message."""
_COLUMN = re.compile(r"columns? '([^']+)'")


@dataclass(frozen=True)
class Problem:
    """One thing that was wrong, in words that name the place."""

    path: str
    """The original, relative to the folder that is imported; or the file that could not be written."""
    message: str
    line: int | None = None
    """Line (or record, item, instance) the row begins on; None where the whole file is meant."""
    column: str | None = None

    def as_dict(self) -> JsonObject:
        return asdict(self)


@dataclass
class Problems:
    """The problems of one import.

    Attributes:
        strict: The first problem is raised instead of kept.
    """

    strict: bool = False
    _found: dict[Problem, None] = field(default_factory=dict)
    _rows: dict[str, set[int]] = field(default_factory=dict)

    @property
    def found(self) -> tuple[Problem, ...]:
        """Each once, though a file may be read twice."""
        return tuple(self._found)

    @contextmanager
    def row(self, path: str, line: int) -> Iterator[None]:
        """A wrong row is kept as a problem, and what the block would have made of it is left out.

        Raises:
            DataError: the row is wrong, and the import is strict.
        """
        try:
            yield
        except DataError as error:
            self.bad_row(path, line, error)

    def bad_row(self, path: str, line: int, error: DataError) -> None:
        if self.strict:
            raise error
        self._rows.setdefault(path, set()).add(line)
        self._found[_problem(path, error, line)] = None

    @contextmanager
    def whole(self, path: str) -> Iterator[None]:
        """A file that cannot be used at all is kept as a problem.

        Raises:
            DataError: it cannot, and the import is strict.
        """
        try:
            yield
        except DataError as error:
            self.bad_file(path, error)

    def bad_file(self, path: str, error: DataError) -> None:
        if self.strict:
            raise error
        self._found[_problem(path, error, None)] = None

    def rows_of(self, path: str) -> list[int]:
        """Lines of the bad rows of an original."""
        return sorted(self._rows.get(path, ()))


def _problem(path: str, error: DataError, line: int | None) -> Problem:
    column = _COLUMN.search(error.message)
    # Who imports needs no advice to import.
    told = [line for line in _SENTENCE.split(error.hint or "") if line and "`data import`" not in line]
    hint = f" {' '.join(told)}" if told else ""
    return Problem(path, shortened(error.message + hint), line, column[1] if column else None)


def shortened(text: str) -> str:
    """A message without the middle of a value that is pages long."""
    return text if len(text) <= 2 * _SHOWN else f"{text[:_SHOWN]} ... {text[-_SHOWN:]}"
