"""The exceptions of lensbench.

::

    LensbenchError            anything a user can act on; printed without a traceback
    ├── UsageError            the command or a file the user wrote is wrong: exit code 2
    │   └── DataError         a row, column or label of a data file is wrong
    ├── UnavailableError      a model, data set or package was not available: exit code 1
    └── RunError              the run itself failed: exit code 1
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable

__all__ = ["DataError", "LensbenchError", "RunError", "UnavailableError", "UsageError", "in_words", "nearest", "unknown_name"]


_ARGUMENT = re.compile(r"``([a-z_]+)(?:=(.*?))?``", re.DOTALL)


def in_words(text: str, spell: Callable[[str, str | None], str] | None = None) -> str:
    """A message with its arguments spelled out.

    Nothing below the command line knows its flags: a message names an argument between double backquotes, alone or with a value
    (``limit``, ``data=embedded``). A script reads `limit` and `data=embedded`; the command line writes flags.

    Args:
        spell: Name and value of an argument -> how it is written; None: as in Python.
    """

    def written(found: re.Match[str]) -> str:
        name, value = found[1], found[2]
        if spell is not None:
            return spell(name, value)
        return name if value is None else f"{name}={value}"

    return _ARGUMENT.sub(written, text)


class LensbenchError(Exception):
    """Root of every error that is shown to the user as a message.

    Args:
        message: What was wrong and what was found. Arguments stand between double backquotes (see `in_words`).
        hint: What to do about it; printed on its own line.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return in_words(self.marked)

    @property
    def marked(self) -> str:
        """Message and hint with arguments as they are marked in both."""
        return self.message if self.hint is None else f"{self.message}\n  {self.hint}"


class UsageError(LensbenchError):
    exit_code = 2


class DataError(UsageError):
    """A data file has wrong content; the message names file, line and column."""


class UnavailableError(LensbenchError):
    """Something that lives elsewhere (hub, package, file) was not available."""


class RunError(LensbenchError):
    """A stage of a run failed; finished work stays in the run folder."""


def nearest(name: str, valid: Iterable[str]) -> str | None:
    """The valid name closest to a mistyped one, or None when nothing is close."""
    names = list(valid)
    folded = {n.lower().replace("_", "-"): n for n in names}
    match = difflib.get_close_matches(name.lower().replace("_", "-"), list(folded), n=1, cutoff=0.5)
    return folded[match[0]] if match else None


def unknown_name(kind: str, name: str, valid: Iterable[str]) -> UsageError:
    """The error for a name that is not known, with the nearest valid one and the whole list."""
    names = sorted(valid)
    close = nearest(name, names)
    guess = f"Did you mean '{close}'? " if close else ""
    return UsageError(f"unknown {kind} '{name}'", f"{guess}Known: {', '.join(names)}.")
