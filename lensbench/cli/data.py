"""`lensbench data`."""

from __future__ import annotations

from pathlib import Path

import click


@click.group()
def command() -> None:
    """Turn original release files into a data folder."""


@command.command("import")
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--to", "target", required=True, type=click.Path(path_type=Path), metavar="DATA", help="Data folder to write to.")
@click.option("--json", "as_json", is_flag=True, help="Print what was written and skipped as JSON.")
def import_(source: Path, target: Path, as_json: bool) -> None:
    """Convert original release files under SOURCE to the hub's field names, as parquet with a manifest.

    Understood: XCOPA and COPA, XWinograd and CLUEWSC, StoryCloze, MMLU, JMMLU, CMMLU and EXAMS, Aya and Bactrian-X style files,
    NTREX, MGSM, MultiQ. Traps in the files are handled or reported in the notes.

    \b
    Example:
      lensbench data import ~/downloads/xcopa --to ~/lensbench-data
      lensbench run --method lens --backbone smollm2-135m --data ~/lensbench-data
    """
    import dataclasses

    from lensbench.cli.render import print_json, print_table
    from lensbench.data.importing import import_folder

    report = import_folder(source, target, on_progress=None if as_json else lambda text: click.echo(text, err=True))
    if as_json:
        print_json(dataclasses.asdict(report))
        return
    print_table(
        ("rows", "lang", "split", "n", "notes"),
        [
            (f.rows, f.language, f.split, str(f.n), "; ".join((*((f"stand-in: {f.stand_in}",) if f.stand_in else ()), *f.notes)))
            for f in report.files
        ],
    )
    for skipped in report.skipped[:20]:
        click.echo(f"skipped {skipped.path}: {skipped.reason}")
    if len(report.skipped) > 20:
        click.echo(f"skipped {len(report.skipped) - 20} more files (--json lists them)")
    click.echo(f"\n{len(report.files)} files in {target}; use it with --data {target}")
