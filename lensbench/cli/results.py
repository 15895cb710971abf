"""`lensbench results`."""

from __future__ import annotations

from pathlib import Path

import click

from lensbench.cli.terminal import echo


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--parquet", is_flag=True, help="Write items.parquet and cells.parquet.")
@click.option(
    "--to", "target", type=click.Path(path_type=Path, file_okay=False), metavar="FOLDER", help="Default: the run's own."
)
def command(run: Path, parquet: bool, target: Path | None) -> None:
    """Write the items and cells of a run as Parquet files, for pandas, Polars or DuckDB.

    \b
    Examples:
      lensbench results RUN --parquet
      python -c "import lensbench; print(lensbench.load('RUN').cells)"
    """
    from lensbench.cli.render import tell_damage
    from lensbench.errors import UsageError
    from lensbench.frames import load, write_parquet
    from lensbench.reporting.text.table import missing_notes

    if not parquet:
        raise UsageError("no format given", "Example: lensbench results RUN --parquet")
    frames = load(run)
    for path in write_parquet(frames, target or run):
        echo(str(path))
    for note in missing_notes(frames.results):
        echo(note, err=True)
    tell_damage(frames.folder)
