"""`lensbench ls`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from lensbench.cli.include_option import include_option

_KINDS = ("methods", "backbones", "tasks", "languages", "profiles", "judges", "engines", "metrics", "experiments")
_WITH_FOLDERS = ("tasks", "languages", "profiles")
"""Lists that also read the user's own folders."""
_WITH_DATA = "languages"
"""The list that also reads a data folder."""


@click.command()
@click.argument("kind", metavar="|".join(_KINDS))
@include_option
@click.option(
    "--data", type=click.Path(path_type=Path), metavar="DIR|embedded", help="Data folder with a languages.yaml (`ls languages`)."
)
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
def command(kind: str, include: tuple[Path, ...], data: Path | None, as_json: bool) -> None:
    """List what can be named.

    \b
    Examples:
      lensbench ls tasks
      lensbench ls languages --json
    """
    from lensbench import api
    from lensbench.cli.render import print_json, print_table
    from lensbench.errors import UsageError, unknown_name

    if kind not in _KINDS:
        raise unknown_name("listing", kind, _KINDS)
    make = getattr(api, f"list_{kind}")
    if data is not None and kind != _WITH_DATA:
        raise UsageError(f"``data`` is for `ls {_WITH_DATA}`: a data folder has no {kind}")
    options = {"data": str(data)} if data is not None else {}
    rows = make(include, **options) if kind in _WITH_FOLDERS else make()
    if as_json:
        print_json(rows)
    else:
        print_table(list(rows[0]), [[_cell(v) for v in row.values()] for row in rows])


def _cell(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    if isinstance(value, dict):
        return ", ".join(f"{k}: {'/'.join(v) if isinstance(v, list) else v}" for k, v in value.items())
    return "" if value is None else str(value)
