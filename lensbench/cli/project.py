"""`lensbench project`."""

from __future__ import annotations

from pathlib import Path

import click

from lensbench.cli.log_options import log_options, progress_of
from lensbench.cli.terminal import echo


@click.command()
@click.argument("folder", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--variant", metavar="NAME", help="Variant with subspaces. Not needed if the run has only one.")
@click.option(
    "--rows",
    default="multiq",
    show_default=True,
    metavar="NAME",
    help="Data set with prompts that are parallel across languages.",
)
@click.option("--data", metavar="SOURCE", help="Source of the prompts: hub, embedded or a folder. Default: that of the run.")
@click.option("--limit", type=click.IntRange(min=2), help="Maximum number of prompts per language.")
@click.option("--device", default="auto", show_default=True, help="Device: auto, cpu, cuda, cuda:1 ...")
@click.option("--trust-model", is_flag=True, help="Allow Python code that comes with a model folder or hub id.")
@log_options
def command(
    folder: Path,
    variant: str | None,
    rows: str,
    data: str | None,
    limit: int | None,
    device: str,
    trust_model: bool,
    quiet: bool,
    verbose: bool,
    log: Path | None,
) -> None:
    """Read hidden states of parallel prompts in the subspaces of LENS; `lensbench figure pca` draws them without a model.

    \b
    Example:
      lensbench project RUN
      lensbench figure pca RUN --out pca.pdf
    """
    from lensbench.api import load

    progress = progress_of(quiet, verbose, log)
    made = load(folder).project(
        variant=variant, rows=rows, data=data, limit=limit, device=device, trust_model=trust_model, progress=progress
    )
    echo(str(made))
