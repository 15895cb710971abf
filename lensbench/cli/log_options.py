"""`--quiet`, `--verbose` and `--log`, for the commands that take long. Light: `--help` reads it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lensbench.cli.flags import with_flags
from lensbench.errors import UsageError

if TYPE_CHECKING:
    from lensbench.display import TerminalProgress

__all__ = ["log_options", "progress_of"]


def log_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the three options; it receives `quiet`, `verbose` and `log`."""
    options = (
        click.option("--quiet", "-q", is_flag=True, help="Show only problems, errors and the result."),
        click.option("--verbose", "-v", is_flag=True, help="Write a progress line every ten seconds, with the time of day."),
        click.option("--log", type=click.Path(path_type=Path), metavar="FILE", help="Append progress lines to this file."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def progress_of(quiet: bool, verbose: bool, log: Path | None) -> TerminalProgress:
    """Where a command reports to.

    Raises:
        UsageError: `--quiet` with `--verbose`, or a log file that cannot be written.
    """
    from lensbench.display import TerminalProgress

    if quiet and verbose:
        raise UsageError("--quiet and --verbose contradict each other", "Give one of them.")
    if log is not None:
        try:
            log.parent.mkdir(parents=True, exist_ok=True)
            log.open("a", encoding="utf-8").close()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise UsageError(f"--log {log}: cannot be written: {reason}", "Name a file that you can write.") from None
    return TerminalProgress(level="quiet" if quiet else "verbose" if verbose else "normal", log=log, spell=with_flags)
