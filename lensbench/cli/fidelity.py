"""`lensbench fidelity`."""

from __future__ import annotations

from pathlib import Path

import click

from lensbench.cli.log_options import log_options, progress_of


@click.command()
@click.argument("folder", metavar="RUN", type=click.Path(path_type=Path))
@click.option(
    "-i",
    "--identifier",
    default="auto",
    show_default=True,
    metavar="NAME|PATH",
    help="Language identifier: glotlid, lid176 or a fastText file. `auto` uses GlotLID if available, else lid.176. "
    "@0.5 after it: a label less probable than 0.5 counts as unknown.",
)
@click.option("--json", "as_json", is_flag=True, help="Print cells and matrices as JSON.")
@log_options
def command(folder: Path, identifier: str, as_json: bool, quiet: bool, verbose: bool, log: Path | None) -> None:
    """Identify the language of the answers of a run: share in the asked language, and where the others went.

    \b
    Examples:
      lensbench fidelity RUN
      lensbench fidelity RUN --identifier ~/models/glotlid/model_v3.bin
    """
    from lensbench.api import load
    from lensbench.cli.render import print_json, print_view

    run = load(folder)
    found = run.identify(identifier, progress=progress_of(quiet, verbose, log))
    if as_json:
        print_json(found.as_dict())
    else:
        print_view(found.view())
