"""`lensbench report`."""

from __future__ import annotations

from pathlib import Path

import click

from lensbench.cli.terminal import echo


@click.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RUN [RUN ...]")
@click.option(
    "--html",
    "target",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="HTML file to write. Default: RUN/report.html.",
)
@click.option(
    "--figure",
    "figures",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="SVG",
    help="Figure to add to the report; may be repeated.",
)
def command(runs: tuple[Path, ...], target: Path | None, figures: tuple[Path, ...]) -> None:
    """Write one HTML file with the tables, figures and every item of one or several runs; it opens from disk, without a network.

    \b
    Examples:
      lensbench report RUN
      lensbench report RUN_A RUN_B --html report.html
    """
    from lensbench.api import report
    from lensbench.cli.render import warn

    made = report(runs, target, figures=figures)
    warn(made.warnings)
    echo(f"report: {made.path}")
