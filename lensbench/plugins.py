"""Content of installed packages: YAML files under entry points `lensbench.backbones`, `lensbench.judges`, `lensbench.tasks`.

An entry point's name is the name a user gives, its value an attribute that holds the path of a YAML file, as a text or a `Path`.
`lensbench.languages` has the same form; the names of its entry points are free. A package is imported only when its name is asked
for, or a list shows it, and whatever it does on import (raise, exit, print) does no harm to anything else. Methods
(`lensbench.methods`), engines (`lensbench.engines`) and metrics (`lensbench.metrics`) are described by a dataclass.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from importlib.metadata import EntryPoint, distributions, entry_points
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

from lensbench.errors import UnavailableError
from lensbench.printable import printable
from lensbench.safenames import is_safe_name

__all__ = [
    "OURS",
    "BrokenPackage",
    "BrokenPlugin",
    "error_line",
    "from_package",
    "load_entry",
    "origin_of",
    "plugin_entries",
    "plugin_file",
    "plugin_info",
    "target_of",
    "try_entry",
]

T = TypeVar("T")
Info = TypeVar("Info")
OURS = "lensbench"
"""The origin of what is no plugin."""
_LONGEST = 200
"""Characters of a stranger's message that are shown."""
_SURVIVED = 73
"""Exit code of a child that came to its end; one that a stranger's code would hardly choose."""
_TRIAL_SECONDS = 20
"""A package that is only listed may take this long to be imported."""


class BrokenPackage(Exception):
    """A package could not be imported, or lacks what its entry point names; the message is one line."""


def plugin_entries(group: str) -> dict[str, EntryPoint]:
    """Entry points of a group by name; imports nothing."""
    try:
        found = list(entry_points(group=group))
    except Exception:
        # One package whose metadata cannot be read hides those of all others there.
        found = [entry for distribution in distributions() for entry in _entries(distribution, group)]
    return {entry.name: entry for entry in sorted(found, key=lambda entry: entry.name)}


def _entries(distribution: Any, group: str) -> list[EntryPoint]:
    try:
        return list(distribution.entry_points.select(group=group))
    except Exception:
        return []


def origin_of(entry: EntryPoint) -> str:
    """The package an entry point comes from."""
    try:
        return str(entry.dist.name) if entry.dist and entry.dist.name else entry.value
    except Exception:
        return entry.value


def load_entry(entry: EntryPoint) -> Any:
    """What an entry point names.

    Raises:
        BrokenPackage: its package did anything but hand it over.
    """
    return from_package(entry.load)


def try_entry(entry: EntryPoint) -> Any:
    """As `load_entry`, for a package that nobody asked for: first in a child, since code can end a process past every handler.

    Raises:
        BrokenPackage: as there, or the import ended the process, or took longer than 20 seconds.
    """
    if hasattr(os, "fork"):
        child = os.fork()
        if child == 0:
            _try_and_end(entry)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if code == -signal.SIGALRM:
            raise BrokenPackage(f"its import takes longer than {_TRIAL_SECONDS} s")
        if code != _SURVIVED:
            raise BrokenPackage(f"its import ends the process ({f'signal {-code}' if code < 0 else f'exit code {code}'})")
    return load_entry(entry)


def _try_and_end(entry: EntryPoint) -> None:
    """Import in a child; what it prints is printed again by the real import, so not here."""
    try:
        nowhere = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(nowhere, number)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(_TRIAL_SECONDS)
        with contextlib.suppress(BaseException):
            entry.load()
    finally:
        os._exit(_SURVIVED)


def from_package(load: Callable[[], T]) -> T:
    """Call what imports a stranger's package. What it prints goes to stderr: stdout may be read by a program.

    Raises:
        BrokenPackage: it raised anything at all, SystemExit and a KeyboardInterrupt of its own included.
        KeyboardInterrupt: the user pressed Ctrl-C, or the process was told to end.
    """
    with _stdout_aside(), _interrupts() as interrupted:
        try:
            return load()
        except BaseException as error:
            if interrupted():
                raise KeyboardInterrupt from None
            raise BrokenPackage(error_line(error)) from None


@dataclass(frozen=True)
class BrokenPlugin:
    """Something of an installed package that cannot be used."""

    name: str
    origin: str
    """The package."""
    reason: str


def plugin_info(name: str, entry: EntryPoint, load: Callable[[EntryPoint], Any], kind: type[Info]) -> Info | BrokenPlugin:
    """The description that an entry point names, with the package it comes from in its field `origin`.

    Args:
        load: `load_entry`, or `try_entry` for a package that nobody asked for.
        kind: A dataclass with the fields `name` and `origin`; all its fields are text, tuples of text, or booleans.
    """
    origin = origin_of(entry)
    try:
        info = load(entry)
    except BrokenPackage as error:
        return BrokenPlugin(name, origin, str(error))
    if not isinstance(info, kind) or getattr(info, "name", None) != name:
        return BrokenPlugin(name, origin, f"{entry.value} is no {kind.__name__} named '{name}'")
    about: Any = info
    strange = [field.name for field in fields(about) if not _is_of(getattr(about, field.name), str(field.type))]
    if strange:
        return BrokenPlugin(name, origin, f"{entry.value} has no text in {', '.join(strange)}")
    if not is_safe_name(name):
        return BrokenPlugin(name, origin, "its name cannot be that of a file")
    replaced: Info = replace(about, origin=origin)
    return replaced


def _is_of(value: Any, annotation: str) -> bool:
    if annotation.startswith("tuple"):
        return isinstance(value, tuple) and all(isinstance(part, str) for part in value)
    return isinstance(value, bool if annotation == "bool" else str)


def target_of(name: str, target: str, origin: str, kind: str) -> Any:
    """What a description's `module:attribute` names.

    Args:
        origin: "lensbench", or the package that the description comes from.
        kind: For the message: "method", "engine".

    Raises:
        UnavailableError: the package cannot be imported.
    """
    module, _, attribute = target.partition(":")
    if origin == OURS:
        # As it is: a package that is missing has its own message.
        return getattr(importlib.import_module(module), attribute)
    try:
        return from_package(lambda: getattr(importlib.import_module(module), attribute))
    except BrokenPackage as error:
        raise UnavailableError(f"{kind} '{name}' of the package '{origin}' cannot be used: {error}") from None


def plugin_file(group: str, name: str, load: Callable[[EntryPoint], Any] | None = None) -> Path | None:
    """The YAML file that a package provides under a name; None if there is none.

    Args:
        load: `try_entry` for a package that nobody asked for; None imports it here.

    Raises:
        UnavailableError: the package cannot be imported, or names no file.
    """
    entry = plugin_entries(group).get(name)
    if entry is None:
        return None
    try:
        path = Path(load(entry)) if load is not None else from_package(lambda: Path(entry.load()))
        there = path.is_file()
    except (BrokenPackage, OSError, ValueError, TypeError) as error:
        raise UnavailableError(f"'{name}' of the package '{origin_of(entry)}' cannot be used: {error}") from None
    if not there:
        raise UnavailableError(f"'{name}' of the package '{origin_of(entry)}' names no file: {path}")
    return path


def error_line(error: BaseException, longest: int = _LONGEST) -> str:
    """Type and first line of an error that a stranger's code raised, safe for a terminal.

    Args:
        longest: Characters of the message that are shown.
    """
    kind = type(error).__name__
    try:
        text = str(error)
    except BaseException:
        text = "its message cannot be read"
    line = next((line.strip() for line in text.splitlines() if line.strip()), "no message")
    return printable(f"{kind}: {line[:longest]}", one_line=True)


@contextmanager
def _stdout_aside() -> Iterator[None]:
    """Send what code and its child processes write to stdout to stderr; a stream that was closed or changed is ours again."""
    ours = sys.stdout, sys.stderr
    for stream in ours:
        with contextlib.suppress(Exception):
            stream.flush()
    kept = []
    with contextlib.suppress(OSError):  # A process may have no stdout or stderr.
        kept.append(os.dup(1))
        os.dup2(2, 1)
        # Streams of their own, so that closing them closes nothing of ours.
        sys.stdout, sys.stderr = (os.fdopen(os.dup(2), "w", errors="backslashreplace", buffering=1) for _ in range(2))
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()
        sys.stdout, sys.stderr = ours
        for descriptor in kept:
            os.dup2(descriptor, 1)
            os.close(descriptor)


@contextmanager
def _interrupts() -> Iterator[Callable[[], bool]]:
    """Tell a user's Ctrl-C (or SIGTERM) from a KeyboardInterrupt that the imported code raises; handlers it sets are undone."""
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    seen: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        seen.append(number)
        raise KeyboardInterrupt

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number, handler in before.items():
        if callable(handler):
            signal.signal(number, note)
    try:
        yield lambda: bool(seen)
    finally:
        for number, handler in before.items():
            if handler is not None:
                signal.signal(number, handler)
