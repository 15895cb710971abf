"""Checks of the values of a JSON object, to be put together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lensbench.records.fields import Check, kind_of

__all__ = ["anything", "either", "fault", "is_flag", "is_table", "list_of", "map_of", "maybe", "one_of", "shape"]


def is_flag(value: Any) -> bool:
    return type(value) is bool


def is_table(value: Any) -> bool:
    return isinstance(value, dict)


def anything(value: Any) -> bool:
    return True


def maybe(check: Check) -> Check:
    return lambda value: value is None or check(value)


def either(*checks: Check) -> Check:
    return lambda value: any(check(value) for check in checks)


def one_of(*words: str) -> Check:
    return lambda value: value in words if isinstance(value, str) else False


def list_of(check: Check) -> Check:
    return lambda value: isinstance(value, list) and all(map(check, value))


def map_of(check: Check) -> Check:
    return lambda value: isinstance(value, dict) and all(map(check, value.values()))


def shape(needed: Mapping[str, Check], further: Mapping[str, Check] | None = None) -> Check:
    return lambda value: fault(value, needed, further or {}) is None


def fault(value: Any, needed: Mapping[str, Check], further: Mapping[str, Check]) -> str | None:
    """Description of what is wrong with an object."""
    if not isinstance(value, dict):
        return f"it is {kind_of(value)}, an object was expected"
    for name, check in needed.items():
        if name not in value:
            return f"it has no '{name}'"
        if not check(value[name]):
            return f"its '{name}' is {kind_of(value[name])}, which does not belong there"
    for name, check in further.items():
        if name in value and not check(value[name]):
            return f"its '{name}' is {kind_of(value[name])}, which does not belong there"
    return None
