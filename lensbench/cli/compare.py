"""`lensbench compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from lensbench.cli.terminal import echo


@click.command()
@click.argument("run_a", type=click.Path(path_type=Path))
@click.argument("run_b", type=click.Path(path_type=Path))
@click.option("--variant", metavar="X", help="Variant of RUN_A [default: every name that both runs have].")
@click.option("--with", "other", metavar="Y", help="Variant of RUN_B that X is compared with [default: X].")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def command(run_a: Path, run_b: Path, variant: str | None, other: str | None, as_json: bool) -> None:
    """Compare two runs item by item, where both asked the same rows in the same way; list what cannot be compared, and why.

    Differences are RUN_B less RUN_A. Give the same run twice to compare two of its variants.

    \b
    Examples:
      lensbench compare runs/before runs/after
      lensbench compare RUN RUN --variant xsft --with lens
    """
    from lensbench.cli.render import print_json, tell_damage
    from lensbench.errors import RunError
    from lensbench.interop.lm_eval.as_runs import as_runs
    from lensbench.numbers.compare import compare
    from lensbench.records import RunFolder
    from lensbench.reporting.text.table import missing_notes

    folders = [RunFolder.existing(as_runs([path])[0], lenient=True) for path in (run_a, run_b)]
    found = compare(folders[0], folders[1], variant, other)
    runs = [_run(folder) for folder in folders]
    if as_json:
        print_json({"run_a": runs[0], "run_b": runs[1], **found.as_dict()})
    else:
        _print(runs, found.as_dict())
    for letter, run in zip("AB", runs, strict=True):
        for note in missing_notes(run):
            echo(f"{note[:2]}{letter}: {note[2:]}", err=True)
    for folder in folders:
        tell_damage(folder)
    if not found.cells:
        raise RunError("nothing in these two runs can be compared", "The reasons are listed with what could not be compared.")


def _run(folder: Any) -> dict[str, Any]:
    from lensbench.records.missing import missing_records

    about = folder.read_json("variants.json")
    missing = missing_records(folder, about)
    return {
        "path": str(folder.path),
        "backbone": about["backbone"],
        "backbone_digest": about["backbone_digest"],
        "dtype": about.get("dtype"),
        "variants": list(about["variants"]),
        "finished": folder.has("results.json") and not missing,
        "missing": [entry.as_dict() for entry in missing],
    }


def _print(runs: list[dict[str, Any]], found: dict[str, Any]) -> None:
    from lensbench.cli.render import MARKS, print_table
    from lensbench.reporting.text.comparison import COMPARISON_HEADER, comparison_notes, comparison_rows

    for letter, run in zip("AB", runs, strict=True):
        echo(f"{letter}: {run['path']} on {run['backbone']}, {run['dtype']}{'' if run['finished'] else '; unfinished'}")
    if found["cells"]:
        rows = [[*row[:-1], MARKS.get(row[-1], row[-1])] for row in comparison_rows(found["cells"])]
        print_table((*COMPARISON_HEADER[:-1], ""), rows)
    for note in comparison_notes(found):
        echo(note)
