"""Records from JSON and to JSON, as their types say (lensbench/records/types.py)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING
from typing import Any, TypeVar

from lensbench.errors import LensbenchError
from lensbench.jsonio import JsonObject
from lensbench.records.fields import Field, fields_of, kind_of
from lensbench.records.types import (
    AnswerRecord,
    IdentifiedRecord,
    IdentifiedTurn,
    ItemRecord,
    Record,
    ScoreRecord,
    UngradedRecord,
    VerdictRecord,
)

__all__ = ["RECORDS", "NotARecord", "as_json", "read_record"]

R = TypeVar("R", bound=Record | IdentifiedTurn)

RECORDS: Mapping[str, type[Record]] = {
    kind.STAGE: kind for kind in (ItemRecord, ScoreRecord, AnswerRecord, IdentifiedRecord, VerdictRecord, UngradedRecord)
}
"""Name of the file -> what its lines are, in the order in which they are made."""


_READERS: dict[type[Any], Callable[[Any], Any]] = {}
_WRITTEN: dict[type[Any], tuple[tuple[str, Field, Any], ...]] = {}


class NotARecord(LensbenchError):
    """A JSON value is not what its file should hold; the message says why."""


def read_record(kind: type[R], value: Any) -> R:
    """A record from the JSON value of its line.

    Raises:
        NotARecord: a field is missing, or is not of its type, or two do not fit together.
    """
    read = _READERS.get(kind) or _READERS.setdefault(kind, _reader(kind))
    found: R = read(value)
    return found


def as_json(record: Record | IdentifiedTurn) -> JsonObject:
    """A record as it is written. Fields that say nothing are left out where their definition says so."""
    found: JsonObject = {}
    kind = type(record)
    for attribute, field, default in _WRITTEN.get(kind) or _WRITTEN.setdefault(kind, _written(kind)):
        value = getattr(record, attribute)
        # A list that is empty says as little as a tuple.
        if field.written or (tuple(value) if default == () else value) != default:
            found[field.name] = [as_json(one) for one in value] if field.several else value
    return found


def _written(kind: type[Any]) -> tuple[tuple[str, Field, Any], ...]:
    return tuple((f.attribute, f, f.default) for f in fields_of(kind))


def _reader(kind: type[Any]) -> Callable[[Any], Any]:
    """A function that checks a JSON value and makes the record of it. It is called for every line of a run.

    The lines of a file have few layouts (names in the same order), and what can be decided once for a layout is.
    """
    fields = {field.name: field for field in fields_of(kind)}
    layouts: dict[tuple[str, ...], _Layout] = {}
    new, put = object.__new__, object.__setattr__
    problem = getattr(kind, "problem", None)

    def read(value: Any) -> object:
        if type(value) is not dict:
            raise NotARecord(f"it is {kind_of(value)}, an object was expected")
        names = tuple(value)
        layout = layouts.get(names)
        if layout is None:
            if len(layouts) >= _MOST:
                layouts.clear()
            layout = layouts[names] = _Layout(fields, names)
        layout.check(value, tuple(map(type, value.values())))
        record: object = new(kind)
        # The type is frozen. To set its dictionary takes a tenth of the time that its own `__init__` takes.
        put(record, "__dict__", layout.content(value))
        reason = problem(record) if problem is not None else None
        if reason is not None:
            raise NotARecord(reason)
        return record

    return read


_MOST = 1000
"""Layouts, and combinations of types, that are remembered: a stranger's file may have a new one in every line."""
_BY_TYPE = (str, bool, str | None, bool | None)
"""Types of which the type of a value decides all."""


class _Layout:
    """What a reader knows of lines with the same names in the same order.

    Raises:
        NotARecord: these lines lack a field.
    """

    def __init__(self, fields: Mapping[str, Field], names: tuple[str, ...]) -> None:
        lacking = next((name for name, field in fields.items() if field.default is MISSING and name not in names), None)
        if lacking is not None:
            raise NotARecord(f"it has no '{lacking}'")
        own = [fields[name] for name in names if name in fields]
        self._defaults = {field.attribute: field.default for name, field in fields.items() if name not in names}
        # Fields of a newer version are passed over.
        self._as_it_is = len(own) == len(names) and all(field.attribute == field.name and not field.several for field in own)
        self._fields = own
        self._all = [(field.name, field.check) for field in own]
        self._values = [(field.name, field.check) for field in own if field.hint not in _BY_TYPE]
        self._types: set[tuple[type, ...]] = set()

    def check(self, value: JsonObject, types: tuple[type, ...]) -> None:
        """
        Raises:
            NotARecord: a field is not of its type.
        """
        known = types in self._types
        for name, check in self._values if known else self._all:
            if not check(value[name]):
                raise NotARecord(f"its '{name}' is {kind_of(value[name])}, which does not belong there")
        if not known and len(self._types) < _MOST:
            self._types.add(types)

    def content(self, value: JsonObject) -> dict[str, object]:
        """Attribute -> value of the record."""
        if self._as_it_is:
            return self._defaults | value
        return self._defaults | {field.attribute: _made(field, value[field.name]) for field in self._fields}


def _made(field: Field, value: Any) -> object:
    if not field.several or field.nested is None:
        return value
    try:
        return [read_record(field.nested, part) for part in value]
    except NotARecord as error:
        raise NotARecord(f"its '{field.name}' has an entry that does not belong there: {error.message}") from None
