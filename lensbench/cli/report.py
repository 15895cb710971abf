"""`lensbench report`."""

from __future__ import annotations

from pathlib import Path

import click

from lensbench.cli.terminal import echo

_FIGURE_BYTES = 2**26


@click.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RUN [RUN ...]")
@click.option(
    "--html", "target", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Default: RUN/report.html."
)
@click.option(
    "--figure",
    "figures",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="SVG",
    help="Also show a figure; may be repeated.",
)
def command(runs: tuple[Path, ...], target: Path | None, figures: tuple[Path, ...]) -> None:
    """Write one HTML file with the tables, figures and every item of one or several runs; it opens from disk, without a network.

    \b
    Examples:
      lensbench report RUN
      lensbench report RUN_A RUN_B --html report.html
    """
    from lensbench.cli.render import tell_damage
    from lensbench.errors import DataError, UsageError
    from lensbench.interop.lm_eval.as_runs import as_runs
    from lensbench.jsonio import read_bounded
    from lensbench.reporting.html import Figure, write_comparison
    from lensbench.reporting.text.table import missing_notes

    given, runs = runs, tuple(as_runs(runs))
    if target is None and (len(runs) > 1 or runs != given):
        raise UsageError(
            "several runs, or results of lm-eval, and no file to write"
            if runs != given
            else "several runs, and no file to write",
            "Example: --html report.html",
        )
    if target is not None and not target.name:
        raise UsageError(f"--html {target}: names no file", "Example: --html report.html")
    target = target or runs[0] / "report.html"
    shown = []
    for figure in figures:
        try:
            text = read_bounded(figure, _FIGURE_BYTES).decode("utf-8")
        except (DataError, UnicodeDecodeError) as error:
            raise UsageError(f"--figure {figure}: cannot be read ({error})") from None
        if "<svg" not in text:
            raise UsageError(f"--figure {figure}: not an SVG file", "Only SVG can stand in the report.")
        shown.append(Figure(figure.stem.replace("_", " "), text))
    for run in write_comparison(runs, target, shown):
        if not run.finished:
            echo(f"! {run.folder.path} is unfinished: the report goes as far as it got", err=True)
        for note in missing_notes(run.results):
            echo(note, err=True)
        tell_damage(run.folder)
    echo(f"report: {target}")
