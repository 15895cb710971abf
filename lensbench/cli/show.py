"""`lensbench show`."""

from __future__ import annotations

from pathlib import Path

import click

from lensbench.cli.terminal import echo


@click.command()
@click.argument("folder", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--all", "everything", is_flag=True, help="Also show the other units of fidelity and the ratings by category.")
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
def command(folder: Path, everything: bool, as_json: bool) -> None:
    """Show the table of a run, recomputed from its item records; also of one that is unfinished.

    \b
    Examples:
      lensbench show runs/lens-smollm2-135m-zh-1a2b3c4d5e
      lensbench show RUN --json
    """
    from lensbench.api import load
    from lensbench.cli.render import print_json, print_results

    run = load(folder)
    if as_json:
        print_json(run.results)
        return
    view = run.table(everything=everything)
    echo(run.title)
    if not run.finished:
        echo("unfinished: the table shows the finished part; run its command again to continue")
    print_results(view)
