"""`lensbench show`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("folder", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--all", "everything", is_flag=True, help="Show every cell, average, pair of variants, cost and note too.")
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
def command(folder: Path, everything: bool, as_json: bool) -> None:
    """Show what a run says: did it help, did English suffer, is it real, what did it cost. Also of an unfinished run.

    RUN may be the folder of an experiment with several backbones: they are shown one after the other.

    \b
    Examples:
      lensbench show runs/lens-smollm2-135m-zh-1a2b3c4d5e
      lensbench show RUN --all
      lensbench show RUN --json
    """
    from lensbench.api import Experiment, holds_experiment, load
    from lensbench.cli.render import print_json, print_run, print_text
    from lensbench.cli.run_backbones import print_experiment

    if holds_experiment(folder):
        experiment = Experiment(folder)
        if as_json:
            print_json(experiment.results)
        else:
            print_experiment(experiment, everything=everything)
        return
    run = load(folder)
    if as_json:
        print_json(run.results)
        return
    print_text(run.title)
    if not run.finished:
        print_text("unfinished: this is of the finished part; run its command again to continue")
    print_run(run, everything=everything)
