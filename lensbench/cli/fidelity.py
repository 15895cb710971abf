"""`lensbench fidelity`."""

from __future__ import annotations

from pathlib import Path

import click

from lensbench.cli.log_options import log_options, progress_of


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "-i",
    "--identifier",
    default="auto",
    show_default=True,
    metavar="NAME|PATH",
    help="glotlid, lid176, or any fastText file; auto: GlotLID where it can be had, else lid.176.",
)
@click.option("--json", "as_json", is_flag=True, help="Cells and matrices as JSON.")
@log_options
def command(run: Path, identifier: str, as_json: bool, quiet: bool, verbose: bool, log: Path | None) -> None:
    """Identify the language of the answers of a run: share in the asked language, and where the others went.

    \b
    Examples:
      lensbench fidelity RUN
      lensbench fidelity RUN --identifier ~/models/glotlid/model_v3.bin
    """
    from lensbench.cli.render import print_fidelity, print_json
    from lensbench.numbers.results import collect_results
    from lensbench.records import RunFolder
    from lensbench.stages.identify import identify_stage, pick_identifier
    from lensbench.stages.results import write_results

    folder = RunFolder.existing(run)
    progress = progress_of(quiet, verbose, log)
    found = pick_identifier(identifier, progress.notify)
    with folder.lock():
        with folder.log("identified") as identified:
            fresh = identify_stage(folder, found, identified, progress)
        write_results(folder)
    progress.notify(f"{found.signature}: {fresh} conversations identified now")
    results = collect_results(folder)
    shown = {
        "identifier": found.signature,
        "cells": [c for c in results["cells"] if c["source"] == found.signature],
        "matrices": [m for m in results["matrices"] if m["identifier"] == found.signature],
    }
    if as_json:
        print_json(shown)
    else:
        print_fidelity(shown)
