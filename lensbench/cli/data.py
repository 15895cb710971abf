"""`lensbench data`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

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


@command.command()
@click.option("-l", "--language", required=True, metavar="CODE", help="Language to make a question set in.")
@click.option("--from", "origin", default="en", show_default=True, metavar="CODE", help="Language to translate from.")
@click.option("--data", metavar="DIR", help="Data folder with the original questions (else $LENSBENCH_DATA, else the hub).")
@click.option("--to", "target", required=True, type=click.Path(path_type=Path), metavar="DATA", help="Data folder to write to.")
@click.option("-j", "--judge", "name", required=True, metavar="NAME|YAML", help="Judge whose API translates.")
@click.option("--model", metavar="NAME", help="In place of the judge's model.")
@click.option("--base-url", metavar="URL", help="Any OpenAI-compatible server.")
@click.option("--max-usd", type=float, help="Send nothing that could bring the cost above this.")
def translate(**options: Any) -> None:
    """Make an MT-Bench question set for a language that has none. It is marked as machine-translated wherever it is used.

    \b
    Example:
      lensbench data translate --language sw --judge gpt-4o --max-usd 2 --to ~/lensbench-data
    """
    from lensbench.cli.progress import TerminalProgress
    from lensbench.data.sources import open_data
    from lensbench.judging import load_judge
    from lensbench.languages import get_language
    from lensbench.pipeline.translate import translate_questions

    judge = load_judge(options["name"], model=options["model"], base_url=options["base_url"])
    origin, language, target = get_language(options["origin"]), get_language(options["language"]), options["target"]
    source = open_data(options["data"])
    entry = translate_questions(source, judge, origin, language, target, TerminalProgress(), max_usd=options["max_usd"])
    click.echo(f"{entry.n} questions in {target / entry.path}: {entry.stand_in}")
    click.echo(f"Have a speaker read them before you publish a number; use them with --data {target}")
