"""`--include-path`, for the commands that read task files. Light: `--help` reads it."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["include_option"]

include_option = click.option(
    "--include-path",
    "include",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Additional folder with task files; may be repeated.",
)
