"""Conversion of records from and to JSON by their types (lensbench/records/types.py)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING
from typing import Any, TypeVar

from lensbench.errors import LensbenchError
from lensbench.jsonio import JsonObject
from lensbench.records.fields import Check, Field, fields_of, kind_of
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

__all__ = ["RECORDS", "NotARecord", "as_json", "read_record", "reader_of"]

R = TypeVar("R", bound=Record | IdentifiedTurn)

RECORDS: Mapping[str, type[Record]] = {
    kind.STAGE: kind for kind in (ItemRecord, ScoreRecord, AnswerRecord, IdentifiedRecord, VerdictRecord, UngradedRecord)
}
"""Name of the file -> what its lines are, in the order in which they are made."""


_READERS: dict[type[Any], Callable[[Any], Any]] = {}
_WRITTEN: dict[type[Any], tuple[tuple[str, Field, Any], ...]] = {}


class NotARecord(LensbenchError):
    """A JSON value is not a valid record of its file; the message says why."""


def reader_of(kind: type[R]) -> Callable[[Any], R]:
    """The function that makes a record from the JSON value of its line; raises the errors of `read_record`."""
    found = _READERS.get(kind)
    if found is None:
        found = _READERS[kind] = _reader(kind)
    return found


def read_record(kind: type[R], value: Any) -> R:
    """A record from the JSON value of its line.

    Raises:
        NotARecord: a field is missing, or is not of its type, or two do not fit together.
    """
    return reader_of(kind)(value)


def as_json(record: Record | IdentifiedTurn) -> JsonObject:
    """A record as JSON. Optional fields with their default value are left out."""
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
    problem: Callable[[Any], str | None] = getattr(kind, "problem", Record.problem)
    checked = problem is not Record.problem

    def read(value: Any) -> object:
        if type(value) is not dict:
            raise NotARecord(f"it is {kind_of(value)}, an object was expected")
        names = tuple(value)
        layout = layouts.get(names)
        if layout is None:
            if len(layouts) >= _MOST:
                layouts.clear()
            layout = layouts[names] = _Layout(fields, names)
        types = tuple(map(type, value.values()))
        for name, check in layout.checks.get(types) or layout.learn(types):
            if not check(value[name]):
                raise NotARecord(f"its '{name}' is {kind_of(value[name])}, which does not belong there")
        record: object = new(kind)
        # The type is frozen. To set its dictionary takes a tenth of the time that its own `__init__` takes.
        content = {**layout.defaults, **value}
        put(record, "__dict__", content if layout.as_it_is else layout.changed(content))
        if checked:
            reason = problem(record)
            if reason is not None:
                raise NotARecord(reason)
        return record

    return read


_MOST = 1000
"""Layouts, and combinations of types, that are remembered: a stranger's file may have a new one in every line."""


class _Layout:
    """What a reader knows of lines with the same names in the same order.

    Attributes:
        defaults: Attribute -> value, of fields that these lines do not have.
        as_it_is: Whether the JSON object is the content of the record.
        checks: Types of the values -> what is left to check.

    Raises:
        NotARecord: these lines lack a field.
    """

    def __init__(self, fields: Mapping[str, Field], names: tuple[str, ...]) -> None:
        lacking = next((name for name, field in fields.items() if field.default is MISSING and name not in names), None)
        if lacking is not None:
            raise NotARecord(f"it has no '{lacking}'")
        self._own = [fields.get(name) for name in names]
        own = [field for field in self._own if field is not None]
        self.defaults = {field.attribute: field.default for name, field in fields.items() if name not in names}
        self._unknown = [name for name in names if name not in fields]
        self._renamed = [(field.name, field.attribute) for field in own if field.attribute != field.name]
        self._nested = [field for field in own if field.several]
        self.as_it_is = not (self._unknown or self._renamed or self._nested)
        self.checks: dict[tuple[type, ...], list[tuple[str, Check]]] = {}

    def learn(self, types: tuple[type, ...]) -> list[tuple[str, Check]]:
        """What is left to check where the values are of these types, which decide all of a text and a flag."""
        if len(self.checks) >= _MOST:
            self.checks.clear()
        found = [(f.name, check) for f, kind in zip(self._own, types, strict=True) if f and (check := f.check_for(kind))]
        self.checks[types] = found
        return found

    def changed(self, content: JsonObject) -> JsonObject:
        """What is read, with the names of the attributes and without fields of a newer version."""
        for name in self._unknown:
            del content[name]
        for name, attribute in self._renamed:
            content[attribute] = content.pop(name)
        for field in self._nested:
            content[field.attribute] = _entries(field, content[field.attribute])
        return content


def _entries(field: Field, values: list[Any]) -> list[Any]:
    assert field.nested is not None
    read: Callable[[Any], Any] = reader_of(field.nested)
    try:
        return [read(value) for value in values]
    except NotARecord as error:
        raise NotARecord(f"its '{field.name}' has an entry that does not belong there: {error.message}") from None
