"""The limits of a YAML text, checked on the parser's events before anything is built from the text."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import Any

import yaml

from lensbench.errors import UsageError

__all__ = ["MAX_DEPTH", "MAX_NODES", "check_events"]

MAX_DEPTH = 40
MAX_NODES = 100_000
"""Values in a text once each alias is counted as all of what it stands for."""

_Parser: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NOT_TEXT = frozenset(
    (
        "yes",
        "Yes",
        "YES",
        "no",
        "No",
        "NO",
        "true",
        "True",
        "TRUE",
        "false",
        "False",
        "FALSE",
        "on",
        "On",
        "ON",
        "off",
        "Off",
        "OFF",
        "~",
        "null",
        "Null",
        "NULL",
    )
)


@dataclass
class _Open:
    """A list or mapping that is not closed yet."""

    mapping: bool
    anchor: str | None
    before: int
    """Nodes counted when it began."""
    keys: dict[str, int] = field(default_factory=dict)
    at_key: bool = True


def check_events(text: str, name: str) -> None:
    """Raises:
    UsageError: nested deeper than 40, more than 100,000 values when aliases are expanded, an alias inside what it names, a
        second document, a key that is given twice, is no text or is a list or mapping, a lone surrogate. Names the line.
    yaml.YAMLError: not YAML.
    """
    stream = io.StringIO(text)
    stream.name = name
    parser = _Parser(stream)
    check = _Check(name)
    try:
        while parser.check_event():
            check.event(parser.get_event())
    finally:
        parser.dispose()


class _Check:
    def __init__(self, name: str) -> None:
        self._name = name
        self._open: list[_Open] = []
        self._sizes: dict[str, int] = {}
        self._count = 0
        self._documents = 0

    def event(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise self._wrong(event, "a second document begins here (---); one file holds one")
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            self._start(event)
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            closed = self._open.pop()
            if closed.anchor:
                self._sizes[closed.anchor] = self._count - closed.before
            self._step()
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event)
        elif isinstance(event, yaml.ScalarEvent):
            self._scalar(event)

    def _start(self, event: Any) -> None:
        if self._at_key():
            raise self._wrong(event, "a list or mapping stands where a key should")
        self._add(event, 1)
        if len(self._open) >= MAX_DEPTH:
            raise self._wrong(event, f"nested more than {MAX_DEPTH} deep")
        self._open.append(_Open(isinstance(event, yaml.MappingStartEvent), event.anchor, self._count - 1))

    def _alias(self, event: yaml.AliasEvent) -> None:
        if any(one.anchor == event.anchor for one in self._open):
            raise self._wrong(event, f"*{event.anchor} stands inside what it names")
        if self._at_key():
            raise self._wrong(event, f"*{event.anchor} stands where a key should")
        self._add(event, self._sizes.get(str(event.anchor), 1))
        self._step()

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        self._add(event, 1)
        if event.anchor:
            self._sizes[event.anchor] = 1
        value = event.value
        if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
            raise self._wrong(event, "half of a surrogate pair, which is not a character")
        if self._at_key():
            self._key(event)
        self._step()

    def _key(self, event: yaml.ScalarEvent) -> None:
        key = event.value
        if event.implicit[0] and not event.style and (key in _NOT_TEXT or not key):
            shown = key or '""'
            raise self._wrong(event, f"the key {shown} is read as {_read_as(key)}, not as text", f'Put it in quotes: "{key}".')
        place = self._open[-1].keys
        if key in place and not (key == "<<" and not event.style):
            raise self._wrong(event, f"the key '{key[:80]}' is there twice, first in line {place[key]}")
        place[key] = _line(event)

    def _at_key(self) -> bool:
        return bool(self._open) and self._open[-1].mapping and self._open[-1].at_key

    def _step(self) -> None:
        if self._open:
            self._open[-1].at_key = not self._open[-1].at_key

    def _add(self, event: yaml.Event, nodes: int) -> None:
        self._count += nodes
        if self._count > MAX_NODES:
            raise self._wrong(event, f"more than {MAX_NODES} values, aliases counted as what they stand for")

    def _wrong(self, event: yaml.Event, what: str, hint: str | None = None) -> UsageError:
        inside = [next(reversed(one.keys)) for one in self._open if one.mapping and one.keys]
        key = f", key '{'.'.join(inside)[:120]}'" if inside else ""
        return UsageError(f"{self._name}, line {_line(event)}{key}: {what}", hint)


def _read_as(key: str) -> str:
    return "null" if key in ("", "~") or key.lower() == "null" else "true or false"


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark is not None else 1
