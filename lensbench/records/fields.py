"""Declaration of the fields of a record type: the annotation defines the check, the description is the documentation.

A field is declared once, with one of three functions. All that reads, writes and documents records is made from that declaration.
"""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import MISSING
from typing import Any

__all__ = ["Check", "Field", "always", "check_of", "fields_of", "kind_of", "needed", "sometimes"]

Check = Callable[[Any], bool]
_EXACT = 2**53
"""Largest whole number: floats cannot represent larger ones, and a run never counts so far."""


def needed(about: str, *, name: str | None = None) -> Any:
    """A field that every line has.

    Args:
        about: What it means, for the table in docs/architecture.md.
        name: Its name in the file, where that is no name in Python.
    """
    return dataclasses.field(metadata={"about": about, "name": name, "written": True})


def always(about: str, *, older: Any, name: str | None = None) -> Any:
    """A field that is always written, but that lines of older versions may lack.

    Args:
        older: Value for such a line.
    """
    return _with_default(older, {"about": about, "name": name, "written": True})


def sometimes(about: str, *, otherwise: Any = None, name: str | None = None) -> Any:
    """A field that is written only if it differs from its default.

    Args:
        otherwise: Value for a line without it.
    """
    return _with_default(otherwise, {"about": about, "name": name, "written": False})


def _with_default(value: Any, metadata: Mapping[str, Any]) -> Any:
    if isinstance(value, dict):
        return dataclasses.field(default_factory=dict, metadata=metadata)
    return dataclasses.field(default=value, metadata=metadata)


@dataclasses.dataclass(frozen=True)
class Field:
    """One declared field.

    Attributes:
        attribute: Its name in Python.
        name: Its name in the file.
        hint: Its type.
        check: Whether a value may stand in the field.
        default: The value of a line without the field; `MISSING` where every line has it. It is shared by all records.
        written: Whether it is written also where it has its default.
        nested: The record type that its value, or each of its values, becomes.
        several: Whether it holds a list of `nested`.
    """

    attribute: str
    name: str
    about: str
    hint: Any
    check: Check
    default: Any
    written: bool
    nested: type | None
    several: bool

    def check_for(self, kind: type) -> Check | None:
        """What a value of this Python type must pass; None where its type says that it belongs here."""
        by_type = {str: "", bool: True, type(None): None}
        if kind in by_type:
            return None if self.check(by_type[kind]) else self.check
        return math.isfinite if kind is float and self.check(0.5) else self.check


def fields_of(record: type) -> tuple[Field, ...]:
    """The fields of a record type, in the order in which they are written."""
    hints = typing.get_type_hints(record)
    found = []
    for field in dataclasses.fields(record):
        hint = hints[field.name]
        several, inner = _element(hint)
        nested = inner if dataclasses.is_dataclass(inner) and isinstance(inner, type) else None
        found.append(
            Field(
                field.name,
                field.metadata["name"] or field.name,
                field.metadata["about"],
                hint,
                check_of(hint),
                _default_of(field),
                field.metadata["written"],
                nested,
                several and nested is not None,
            )
        )
    return tuple(found)


def _default_of(field: dataclasses.Field[Any]) -> Any:
    return field.default if field.default_factory is MISSING else field.default_factory()


def _element(hint: Any) -> tuple[bool, Any]:
    """Whether a type is a sequence, and the type of what is in it; else the type itself."""
    if typing.get_origin(hint) in (Sequence, list):
        return True, typing.get_args(hint)[0]
    return False, hint


def check_of(hint: Any) -> Check:
    """Whether a JSON value is of a type: `str`, `int` (whole, from 0), `float` (any finite number), `bool`, `None`, unions,
    `Sequence`, `Mapping` by text, `tuple` of a fixed length, and `Any`."""
    if hint in _PLAIN:
        return _PLAIN[hint]
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _any_of([check_of(one) for one in inner])
    if origin is Sequence:
        # Entries that become records are checked when they do.
        return _is_list if inner[0] is Any or dataclasses.is_dataclass(inner[0]) else _list_of(inner[0])
    if origin in (Mapping, dict):
        return _map_of(inner[1]) if inner[1] is not Any else _is_map
    if origin is tuple:
        return _tuple_of([check_of(one) for one in inner])
    raise TypeError(f"{hint}: a record cannot have a field of this type")


def is_text(value: Any) -> bool:
    return type(value) is str


def is_whole(value: Any) -> bool:
    return type(value) is int and 0 <= value < _EXACT


def is_number(value: Any) -> bool:
    return (type(value) is float and math.isfinite(value)) or (type(value) is int and abs(value) < _EXACT)


def _is_flag(value: Any) -> bool:
    return type(value) is bool


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


def _is_map(value: Any) -> bool:
    return isinstance(value, dict)


_PLAIN: dict[Any, Check] = {
    str: is_text,
    int: is_whole,
    float: is_number,
    bool: _is_flag,
    Any: lambda value: True,
    type(None): lambda value: value is None,
}


def _any_of(checks: Sequence[Check]) -> Check:
    if len(checks) == 2 and checks[1] is _PLAIN[type(None)]:
        first = checks[0]
        return lambda value: value is None or first(value)
    return lambda value: any(check(value) for check in checks)


def _list_of(hint: Any) -> Check:
    all_are = _all_are(hint)
    return lambda value: isinstance(value, list) and all_are(value)


def _map_of(hint: Any) -> Check:
    all_are = _all_are(hint)
    return lambda value: isinstance(value, dict) and all_are(value.values())


def _all_are(hint: Any) -> Callable[[Collection[Any]], bool]:
    """Whether all values are of a type. Texts, flags and finite floats are told by their types alone, without a call for each."""
    check = check_of(hint)
    if hint in (str, bool):
        exact = {hint}
        return lambda values: exact.issuperset(map(type, values)) or all(map(check, values))
    if hint in (float, float | None):
        usual: set[type] = {float} if hint is float else {float, type(None)}
        return lambda values: _are_finite(values, usual) or all(map(check, values))
    return lambda values: all(map(check, values))


def _are_finite(values: Collection[Any], usual: set[type]) -> bool:
    # One that is not finite leaves no finite sum.
    return usual.issuperset(map(type, values)) and math.isfinite(sum(filter(None, values)))


def _tuple_of(checks: Sequence[Check]) -> Check:
    return lambda value: (
        isinstance(value, list)
        and len(value) == len(checks)
        and all(check(part) for check, part in zip(checks, value, strict=True))
    )


def kind_of(value: Any) -> str:
    """Description of a JSON value, for messages."""
    if value is None or isinstance(value, bool | int | float):
        text = repr(value)
        return text if len(text) <= 40 else f"{text[:40]}..."
    return {"str": "a text", "list": "a list", "dict": "an object"}.get(type(value).__name__, type(value).__name__)
