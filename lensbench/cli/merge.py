"""`lensbench merge`."""

from __future__ import annotations

from pathlib import Path

import click

from lensbench.cli.log_options import log_options, progress_of
from lensbench.cli.terminal import echo


@click.command()
@click.argument("folder", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--variant", metavar="NAME", help="Enhanced variant. Not needed if the run has only one.")
@click.option("--to", "target", required=True, type=click.Path(path_type=Path), metavar="FOLDER", help="Model folder to write.")
@click.option("--dtype", help="Data type of the written weights: float32, bfloat16 or float16. Default: that of the run.")
@click.option("--trust-model", is_flag=True, help="Allow Python code that comes with a model folder or hub id.")
@log_options
def command(
    folder: Path,
    variant: str | None,
    target: Path,
    dtype: str | None,
    trust_model: bool,
    quiet: bool,
    verbose: bool,
    log: Path | None,
) -> None:
    """Write an enhanced variant as a plain model folder.

    \b
    Example:
      lensbench merge RUN --variant lens --to my-model
      python -c "from transformers import AutoModelForCausalLM as M; M.from_pretrained('my-model')"
    """
    from lensbench.api import load

    progress = progress_of(quiet, verbose, log)
    merged = load(folder).merge(target, variant=variant, dtype=dtype, trust_model=trust_model, progress=progress)
    echo(f"{merged} merged into {target}")
