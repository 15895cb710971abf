"""`lensbench figure`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lensbench.cli.terminal import echo

if TYPE_CHECKING:
    from lensbench.reporting.figures import Drawn

_KINDS = ("generation", "understanding", "ablation", "layers", "external", "pca", "matrix")
_WIDTHS = ("auto", "column", "page")


@click.command()
@click.argument("kind", metavar="|".join(_KINDS))
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RUN [RUN ...]")
@click.option(
    "--out", required=True, type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Ends in .svg, .pdf or .png."
)
@click.option("--task", "tasks", multiple=True, metavar="NAME", help="Show this task only; may be repeated.")
@click.option("--metric", "metrics", multiple=True, metavar="NAME", help="Show this metric; may be repeated.")
@click.option("--language", "languages", multiple=True, metavar="CODE", help="Show this language only; may be repeated.")
@click.option("--variant", "variants", multiple=True, metavar="NAME", help="Show this variant (and base) only; may be repeated.")
@click.option("--by", "fields", multiple=True, metavar="SWITCH", help="ablation: the switch along x; default: all that differ.")
@click.option("--identifier", metavar="NAME", help="matrix: whose labels; default: the first there are.")
@click.option("--turn", type=click.IntRange(1, 2), default=1, help="matrix: of which turn.")
@click.option("--lines", is_flag=True, help="matrix: lines of answers, not whole answers.")
@click.option("--native", is_flag=True, help="Name languages in their own script.")
@click.option("--width", type=click.Choice(_WIDTHS), default="auto", help="One column (3.3 in) or a page (6.8 in) of a paper.")
def command(kind: str, runs: tuple[Path, ...], out: Path, width: str, **options: Any) -> None:
    """Draw a figure of one or several runs and print its caption.

    \b
    Examples:
      lensbench figure generation RUN --out generation.pdf
      lensbench figure understanding RUN --native --out understanding.svg
      lensbench figure layers RUN_21 RUN_25 RUN_31 --out layers.pdf
      lensbench figure ablation RUN_A RUN_B RUN_C --by push_strength.zh --out ablation.pdf
      lensbench figure matrix RUN --task multiq --out matrix.png
    """
    from lensbench.cli.render import tell_damage
    from lensbench.errors import unknown_name
    from lensbench.interop.lm_eval.as_runs import as_runs
    from lensbench.printable import printable
    from lensbench.records import RunFolder
    from lensbench.reporting import figures
    from lensbench.reporting.figures.style import format_of
    from lensbench.reporting.html import name_runs, report_run
    from lensbench.reporting.text.table import missing_notes

    if kind not in _KINDS:
        raise unknown_name("figure", kind, _KINDS)
    format_of(out)
    runs = tuple(as_runs(runs))
    wide = {"auto": None, "column": figures.COLUMN, "page": figures.PAGE}[width]
    read = [report_run(RunFolder.existing(path, lenient=True), label) for path, label in zip(runs, name_runs(runs), strict=True)]
    drawn = _DRAW[kind](read, options, {"native": options["native"], "width": wide})
    gone = [f"{run.label}: {note[2:]}" if run.label else note[2:] for run in read for note in missing_notes(run.results)]
    caption = printable(" ".join([drawn.caption, *(f"Missing: {note}." for note in gone)]))
    figures.save_figure(drawn.figure, out, caption)
    for run in read:
        if not run.finished:
            echo(f"! {run.folder.path} is unfinished: the figure goes as far as it got", err=True)
        tell_damage(run.folder)
    echo(f"figure: {out}")
    echo(caption)


def _choice(options: dict[str, Any]) -> Any:
    from lensbench.reporting.figures import Choice

    return Choice(options["tasks"], options["metrics"], options["languages"], options["variants"])


def _generation(read: list[Any], options: dict[str, Any], look: dict[str, Any]) -> Drawn:
    from lensbench.reporting.figures import per_language

    return per_language(read, "generation", _choice(options), **look)


def _understanding(read: list[Any], options: dict[str, Any], look: dict[str, Any]) -> Drawn:
    from lensbench.reporting.figures import per_language

    return per_language(read, "understanding", _choice(options), **look)


def _ablation(read: list[Any], options: dict[str, Any], look: dict[str, Any]) -> Drawn:
    from lensbench.reporting.figures import ablation

    return ablation(read, _choice(options), fields=options["fields"], **look)


def _layers(read: list[Any], options: dict[str, Any], look: dict[str, Any]) -> Drawn:
    from lensbench.reporting.figures import layers

    return layers(read, _choice(options), **look)


def _external(read: list[Any], options: dict[str, Any], look: dict[str, Any]) -> Drawn:
    from lensbench.reporting.figures import external

    return external(read, _choice(options), **look)


def _pca(read: list[Any], options: dict[str, Any], look: dict[str, Any]) -> Drawn:
    from lensbench.reporting.figures import pca

    return pca(read, _choice(options), **look)


def _matrix(read: list[Any], options: dict[str, Any], look: dict[str, Any]) -> Drawn:
    from lensbench.errors import UsageError
    from lensbench.reporting.figures import matrix

    if len(options["tasks"]) > 1:
        raise UsageError("--task: a matrix is of one task")
    return matrix(
        read,
        task=next(iter(options["tasks"]), None),
        level="line" if options["lines"] else "answer",
        turn=options["turn"],
        identifier=options["identifier"],
        variants=options["variants"],
        **look,
    )


_DRAW: dict[str, Callable[[list[Any], dict[str, Any], dict[str, Any]], Any]] = {
    "generation": _generation,
    "understanding": _understanding,
    "ablation": _ablation,
    "layers": _layers,
    "external": _external,
    "pca": _pca,
    "matrix": _matrix,
}
