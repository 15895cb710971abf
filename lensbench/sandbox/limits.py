"""Limits for calls inside a template: sizes of texts, lists and numbers, checked before they are created."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import jinja2
from jinja2.exceptions import SecurityError

__all__ = [
    "MAX_NUMBER",
    "MAX_TEXT",
    "check_call",
    "check_format",
    "check_integers",
    "check_length",
    "listed",
    "measured",
    "size_of",
]

MAX_TEXT = 2**22
"""Characters of a rendered text, and of any string on the way to it."""
MAX_NUMBER = 10**6
"""Largest width, count or exponent that a template may give to a function."""

_WIDE = frozenset(
    {
        "center",
        "ljust",
        "rjust",
        "zfill",
        "expandtabs",
        "to_bytes",
        "indent",
        "wordwrap",
        "batch",
        "slice",
        "round",
        "tojson",
        "truncate",
        "format",
        "hex",
    }
)
"""Functions and filters whose result may be as long as a number they are given."""
_FORMAT_WIDTH = re.compile(r"\d{6,}|%[-+ #0]*\*|\{[^{}]*\{")
"""Pattern of a long number, or a width from an argument, in a format string."""


def measured(values: Iterable[Any]) -> Iterator[Any]:
    length = 0
    for value in values:
        length += len(value) if isinstance(value, str | bytes | list | tuple) else 1
        check_length(length)
        yield value


def listed(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """What comes one by one as lists, so that the length of what is made of it is known before."""
    return tuple(list(measured(value)) if hasattr(value, "__next__") else value for value in values)


def size_of(value: Any) -> int:
    """About how many characters the text of a value has; counting stops above the limit.

    Raises:
        UndefinedError: a list holds a value that is not there, which its text would show as `Undefined`.
    """
    total, waiting = 0, [value]
    while waiting and total <= MAX_TEXT:
        one = waiting.pop()
        if isinstance(one, str | bytes):
            total += len(one)
        elif isinstance(one, list | tuple | set | frozenset | dict):
            total += 2 * len(one) + 2
            if total <= MAX_TEXT:
                waiting += [*one, *one.values()] if isinstance(one, dict) else one
        elif isinstance(one, jinja2.Undefined) and one is not value:
            str(one)
            raise jinja2.UndefinedError("a list holds a value that is not there")
        else:
            total += max(1, one.bit_length() // 3) if isinstance(one, int) else 1
    return total


def check_call(name: str, owner: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    given = [*args, *kwargs.values()]
    if name in _WIDE:
        for value in given:
            if isinstance(value, int) and abs(value) > MAX_NUMBER:
                raise SecurityError(f"{name} is given the number {value}" if abs(value) < 10**30 else f"{name}: a huge number")
        if name == "format":
            for text in (owner, *given):
                if isinstance(text, str):
                    check_format(text, given)
    if name in _PER_MARK:
        _check_per_mark(name, [value for value in (owner, *given) if isinstance(value, _PLAIN)])
    if name == "replace":
        texts = [value for value in (owner, *given) if isinstance(value, str)]
        if len(texts) > 2:
            check_length((texts[0].count(texts[1]) if texts[1] else len(texts[0]) + 1) * len(texts[2]))
    if name == "join":
        longest = max((len(value) for value in (owner, *given) if isinstance(value, str)), default=0)
        for values in given:
            if isinstance(values, list | tuple | range):
                parts = sum(len(part) for part in values if isinstance(part, str)) if not isinstance(values, range) else 0
                check_length(parts + longest * len(values))


_PLAIN = (str, bytes, int, list, tuple, dict)
_PER_MARK: dict[str, Callable[[Any], int]] = {
    "indent": lambda text: str(text).count("\n") + 1,
    "expandtabs": lambda text: str(text).count("\t") + 1,
    "wordwrap": lambda text: size_of(text),
    "translate": lambda text: size_of(text),
    "tojson": lambda value: size_of(value),
}
"""Functions that put something in at many places of what they are given -> how many places."""


def _check_per_mark(name: str, given: list[Any]) -> None:
    if len(given) < 2:
        return
    places = _PER_MARK[name](given[0])
    for value in given[1:]:
        longest = max(map(size_of, value.values()), default=0) if isinstance(value, dict) else size_of(value)
        put_in = abs(value) if isinstance(value, int) and name != "wordwrap" else longest
        check_length(size_of(given[0]) + places * put_in)


def check_format(text: str, values: Any) -> None:
    if _FORMAT_WIDTH.search(text):
        raise SecurityError("a format string with a width of six digits, or one from an argument")
    places = max(text.count("%"), text.count("{"))
    if places > 1:
        widest = max(map(int, re.findall(r"[0-9]+", text)), default=0)
        parts = values if isinstance(values, list | tuple) else [values]
        longest = max((size_of(part) for part in parts if part is not text), default=0)
        check_length(len(text) + places * (longest + widest))


def check_integers(left: Any, right: Any) -> None:
    if isinstance(left, int) and isinstance(right, int) and left.bit_length() + right.bit_length() > 4096:
        raise SecurityError("a number of more than 4,096 bits")


def check_length(length: int) -> None:
    if length > MAX_TEXT:
        raise SecurityError(f"it makes a text or list of more than {MAX_TEXT} elements")
