"""Conversion of argument names in messages to flags: `limit` is `--limit`, `english=False` is `--no-english`."""

from __future__ import annotations

from typing import Any

from lensbench.errors import LensbenchError, in_words

__all__ = ["all_with_flags", "error_text", "flag", "with_flags"]

_FLAGS = {
    "everything": "--all",
    "include": "--include-path",
    "methods": "--method",
    "overrides": "--set",
    "variants": "--variant",
    "with_variant": "--with",
}
"""Arguments whose flag has another name."""
_SWITCHES = {"cache=False": "--no-cache", "english=False": "--no-english"}
"""Values that a flag without one stands for."""


def flag(name: str, value: str | None = None) -> str:
    """The flag of an argument, with its value behind it where the message has one."""
    if f"{name}={value}" in _SWITCHES:
        return _SWITCHES[f"{name}={value}"]
    spelled = _FLAGS.get(name, "--" + name.replace("_", "-"))
    return spelled if value in (None, "True") else f"{spelled} {value}"


def with_flags(text: str) -> str:
    """A message or note with flags for arguments."""
    return in_words(text, flag)


def all_with_flags(content: Any) -> Any:
    """JSON content with flags for arguments in every text."""
    if isinstance(content, str):
        return with_flags(content)
    if isinstance(content, dict):
        return {key: all_with_flags(value) for key, value in content.items()}
    return [all_with_flags(value) for value in content] if isinstance(content, list) else content


def error_text(error: LensbenchError) -> str:
    """An error as the command line shows it."""
    return with_flags(error.marked)
