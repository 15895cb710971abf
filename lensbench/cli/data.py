"""`lensbench data`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from lensbench.cli.flags import all_with_flags, with_flags
from lensbench.cli.terminal import echo


@click.group()
def command() -> None:
    """Turn original release files into a data folder."""


@command.command("import")
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--to", "target", required=True, type=click.Path(path_type=Path), metavar="DATA", help="Data folder to write.")
@click.option("--strict", is_flag=True, help="Stop at the first problem.")
@click.option("--replace", "overwrite", is_flag=True, help="Replace existing files that hold other rows.")
@click.option(
    "--prefer", multiple=True, metavar="PATTERN", help="Originals to use when several hold the same rows; may be repeated."
)
@click.option("--json", "as_json", is_flag=True, help="Print what was written, skipped or wrong as JSON.")
def import_(source: Path, target: Path, strict: bool, overwrite: bool, prefer: tuple[str, ...], as_json: bool) -> None:
    """Convert original release files under SOURCE to the hub's field names, as parquet with a manifest.

    Understood: XCOPA and COPA, XWinograd and CLUEWSC, StoryCloze, MMLU, JMMLU, CMMLU and EXAMS, Aya and Bactrian-X style files,
    NTREX, MGSM, MultiQ, MT-Bench and Vicuna questions, and the hub's own parquet files. Traps in the files are handled or
    reported in the notes. A wrong row is left out and reported, the rest is imported, and the command ends with exit code 1.

    \b
    Example:
      lensbench data import ~/downloads/xcopa --to ~/lensbench-data
      lensbench run --method lens --backbone smollm2-135m --data ~/lensbench-data
    """
    from lensbench.api import import_data, import_hints
    from lensbench.cli.render import print_json
    from lensbench.printable import printable, printable_all

    def progress(text: str) -> None:
        echo(printable(text, one_line=True), err=True)

    notify = None if as_json else progress
    report = import_data(source, target, strict=strict, overwrite=overwrite, prefer=prefer, notify=notify)
    hints = import_hints(report)
    if as_json:
        print_json(printable_all(all_with_flags(report.as_dict() | {"hints": hints})))
    else:
        _show(report, hints)
    if report.problems or not report.files:
        click.get_current_context().exit(1)


_SHOWN = 20
"""Lines of one kind on the terminal; `--json` has them all."""


def _show(report: Any, hints: list[str]) -> None:
    from lensbench.cli.render import print_table
    from lensbench.printable import printable

    def listed(lines: list[str], what: str, *, err: bool = False) -> None:
        for line in lines[:_SHOWN]:
            echo(printable(with_flags(line), one_line=True), err=err)
        if len(lines) > _SHOWN:
            echo(f"... and {len(lines) - _SHOWN} more {what} (--json lists them)", err=err)

    print_table(
        ("rows", "lang", "split", "n", "notes"),
        [
            (printable(file.rows), file.language, printable(file.split), str(file.n), printable("; ".join(_remarks(file))))
            for file in report.files
        ],
    )
    listed([f"skipped {skipped.path}: {skipped.reason}" for skipped in report.skipped], "skipped files")
    listed([f"note: {note}" for note in report.notes], "notes")
    listed([f"! {warning}" for warning in report.warnings], "warnings")
    listed([f"hint: {hint}" for hint in hints], "hints")
    listed([f"problem: {problem.message}" for problem in report.problems], "problems", err=True)
    if report.problems:
        rows = sum(problem.line is not None for problem in report.problems)
        parts = f"{rows} wrong rows left out, {len(report.problems) - rows} problems with whole files"
        echo(f"{parts}; the rest was imported (--strict stops at the first)", err=True)
    if report.files:
        echo(f"\n{len(report.files)} files in {report.target}; use it with --data {report.target}")
    else:
        echo("nothing was imported", err=True)


def _remarks(file: Any) -> list[str]:
    stand_in = [f"stand-in: {file.stand_in}"] if file.stand_in else []
    return [*(f"! {words}" for words in (*file.left_out, *file.warnings)), *stand_in, *file.notes]


@command.command()
@click.option("-l", "--language", required=True, metavar="CODE", help="Language of the new question set.")
@click.option("--from", "origin", default="en", show_default=True, metavar="CODE", help="Language to translate from.")
@click.option("--data", metavar="DIR", help="Data folder with the original questions. Default: $LENSBENCH_DATA, else the hub.")
@click.option("--to", "target", required=True, type=click.Path(path_type=Path), metavar="DATA", help="Data folder to write.")
@click.option("-j", "--judge", "name", required=True, metavar="NAME|YAML", help="Judge whose API translates.")
@click.option("--model", metavar="NAME", help="Model to use instead of the judge's own.")
@click.option("--base-url", metavar="URL", help="URL of an OpenAI-compatible server.")
@click.option("--max-usd", type=float, help="Maximum cost in US dollars. No request is sent that could exceed it.")
def translate(**options: Any) -> None:
    """Make an MT-Bench question set for a language that has none. It is marked as machine-translated wherever it is used.

    \b
    Example:
      lensbench data translate --language sw --judge gpt-4o --max-usd 2 --to ~/lensbench-data
    """
    from lensbench.api import translate_questions
    from lensbench.cli.log_options import progress_of

    target = options["target"]
    entry = translate_questions(
        options["language"],
        target,
        judge=options["name"],
        progress=progress_of(False, False, None),
        **{name: options[name] for name in ("origin", "data", "model", "base_url", "max_usd")},
    )
    echo(f"{entry.n} questions in {target / entry.path}: {entry.stand_in}")
    echo(f"Have a speaker read them before you publish a number; use them with --data {target}")
