"""`lensbench results`."""

from __future__ import annotations

from pathlib import Path

import click

from lensbench.cli.terminal import echo


@click.command()
@click.argument("folder", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--parquet", is_flag=True, help="Write items.parquet and cells.parquet.")
@click.option(
    "--to",
    "target",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Folder to write. Default: the run folder.",
)
def command(folder: Path, parquet: bool, target: Path | None) -> None:
    """Write the items and cells of a run as Parquet files, for pandas, Polars or DuckDB.

    \b
    Examples:
      lensbench results RUN --parquet
      python -c "import lensbench; print(lensbench.load('RUN').cells)"
    """
    from lensbench.api import load
    from lensbench.cli.render import warn
    from lensbench.errors import UsageError

    if not parquet:
        raise UsageError("no format given", "Example: lensbench results RUN --parquet")
    run = load(folder)
    for path in run.to_parquet(target):
        echo(str(path))
    warn(run.warnings())
