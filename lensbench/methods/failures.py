"""Errors of a method's own code, in words."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from lensbench.errors import LensbenchError, RunError
from lensbench.plugins import error_line

__all__ = ["errors_in_words"]

_LONGEST = 300
"""Characters of a stranger's message that are shown."""


@contextmanager
def errors_in_words(what: str, method: Any) -> Iterator[None]:
    """Context in which a method's code runs; any error of it becomes a message with its file and line.

    Args:
        what: What the code does, with the variant's name.
        method: The method; its package tells which line of a traceback is its own.

    Raises:
        RunError: in place of an error that is no LensbenchError. What the accelerator raises for lack of memory stays as it is.
    """
    try:
        yield
    except (LensbenchError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        raise RunError(f"{what} failed: {error_line(error, _LONGEST)} ({_place(error, method)})") from error


def _place(error: Exception, method: Any) -> str:
    """File and line: the innermost one of the method's package, else the innermost one of all."""
    package = type(method).__module__.partition(".")[0]
    frames = list(traceback.walk_tb(error.__traceback__))[1:]
    own = [(f, line) for f, line in frames if str(f.f_globals.get("__name__", "")).partition(".")[0] == package]
    frame, line = (own or frames)[-1]
    return f"{frame.f_code.co_filename}, line {line}"
