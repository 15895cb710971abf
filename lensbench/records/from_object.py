"""A dataclass read from a JSON object that another version may have written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = ["from_object"]

T = TypeVar("T", bound="DataclassInstance")


def from_object(kind: type[T], content: Mapping[str, Any], **told: Any) -> T:
    """The dataclass with the values of the object's keys; a key that it has no field for is passed over, a list becomes a tuple.

    A key that the object lacks has the default that the dataclass gives it.

    Args:
        told: Fields that are not taken from the object.
    """
    names = {field.name for field in fields(kind)}
    found = {name: tuple(value) if isinstance(value, list) else value for name, value in content.items() if name in names}
    return kind(**{**found, **told})
