"""Checks of the types and ranges of arguments, each with a message that names the argument."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from lensbench.errors import UsageError, unknown_name
from lensbench.sizes import parse_size

__all__ = ["a_path", "a_size", "a_text", "a_whole_number", "known_arguments", "names", "one_of", "paths"]


def names(argument: str, value: Any, example: str) -> tuple[str, ...]:
    """A list of names.

    Raises:
        UsageError: a single text, which would be read letter by letter, or something else than texts.
    """
    if isinstance(value, str) or not isinstance(value, Iterable) or isinstance(value, Mapping):
        raise UsageError(f"``{argument}`` must be a list of names, found {_shown(value)}", f"Example: ``{argument}={example}``")
    found = tuple(value)
    for one in found:
        if not isinstance(one, str):
            raise UsageError(f"``{argument}`` must hold names, found {_shown(one)}", f"Example: ``{argument}={example}``")
    return found


def a_whole_number(argument: str, value: Any, least: int | None = None, most: int | None = None) -> int:
    """An integer within a range.

    Raises:
        UsageError: another type, or out of range.
    """
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise UsageError(f"``{argument}`` must be a whole number, found {_shown(value)}")
    found = int(value)
    if least is not None and found < least and most is None:
        raise UsageError(f"``{argument}`` must be at least {least}, found {found}")
    if (least is not None and found < least) or (most is not None and found > most):
        raise UsageError(f"``{argument}`` must be from {least} to {most}, found {found}")
    return found


def a_text(argument: str, value: Any) -> str:
    """
    Raises:
        UsageError: no text.
    """
    if not isinstance(value, str):
        raise UsageError(f"``{argument}`` must be a text, found {_shown(value)}")
    return value


def a_size(argument: str, value: Any) -> int | None:
    """Bytes of a number or of a text such as "8GiB"; None stays None.

    Raises:
        UsageError: no size, or none at all.
    """
    if value is None:
        return None
    found = parse_size(value, f"``{argument}``")
    if found == 0:
        raise UsageError(f"``{argument}`` must be more than 0")
    return found


def known_arguments(given: Iterable[str], *functions: Callable[..., Any], more: Iterable[str] = ()) -> None:
    """Refuse keyword arguments that nobody reads.

    Args:
        functions: Their named arguments are known.
        more: Further known names.

    Raises:
        UsageError: an unknown name; with the nearest.
    """
    kinds = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    taken = [p.name for function in functions for p in inspect.signature(function).parameters.values() if p.kind in kinds]
    known = {*taken, *more} - {"self"}
    for name in given:
        if name not in known:
            raise unknown_name("argument", name, known)


def one_of(argument: str, value: Any, choices: Collection[str]) -> str:
    """
    Raises:
        UsageError: none of the choices; names the nearest.
    """
    if a_text(argument, value) not in choices:
        raise unknown_name(argument, value, choices)
    return str(value)


def a_path(argument: str, value: Any) -> Path:
    """
    Raises:
        UsageError: neither a text nor a path.
    """
    if not isinstance(value, str | os.PathLike):
        raise UsageError(f"``{argument}`` must be a path, found {_shown(value)}")
    return Path(value)


def paths(argument: str, value: Any) -> tuple[Path, ...]:
    """
    Raises:
        UsageError: a single path, or something else than paths.
    """
    if isinstance(value, str | os.PathLike) or not isinstance(value, Iterable):
        raise UsageError(f"``{argument}`` must be a list of paths, found {_shown(value)}")
    return tuple(a_path(argument, one) for one in value)


def _shown(value: Any) -> str:
    text = repr(value)
    return f"{text if len(text) <= 60 else text[:57] + '...'} ({type(value).__name__})"
