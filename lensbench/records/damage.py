"""Lenient reading of records, for showing a run. A run that continues reads strictly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TypeVar

from lensbench.errors import DataError
from lensbench.jsonio import JsonObject, parse_json
from lensbench.records.log import finished_lines
from lensbench.records.reader import NotARecord, read_record
from lensbench.records.types import Record

R = TypeVar("R", bound=Record)

__all__ = ["Damage", "read_leniently"]


@dataclass
class Damage:
    """Lines of one file that could not be used unchanged.

    Attributes:
        skipped: Numbers (from 1) of the lines that are no records, or say of a record something else than an earlier line.
        repaired: Numbers of the lines with bytes that are no UTF-8, which are shown as U+FFFD.
    """

    file: str
    skipped: list[int] = field(default_factory=list)
    repaired: list[int] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.skipped or self.repaired)

    def as_dict(self) -> JsonObject:
        return asdict(self)


def read_leniently(kind: type[R], path: Path, damage: Damage) -> Iterator[R]:
    """The records of a file; a damaged line is noted and left out, an unfinished last one is being written and left out too.

    So is a line whose key an earlier one has: a key is written once. It is noted where the two differ.
    """
    seen: dict[str, int] = {}
    for number, line in finished_lines(path):
        record = _parse(kind, line, number, damage)
        if record is None:
            continue
        content, key = hash(line.strip()), record.key
        if key not in seen:
            seen[key] = content
            yield record
        elif seen[key] != content:
            damage.skipped.append(number)


def _parse(kind: type[R], line: bytes, number: int, damage: Damage) -> R | None:
    try:
        text = line.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        damage.repaired.append(number)
        text = line.decode("utf-8", "replace")
    try:
        return read_record(kind, parse_json(text, kind.STAGE))
    except (DataError, NotARecord):
        damage.skipped.append(number)
        return None
