"""`lensbench figure`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from lensbench.cli.terminal import echo

_KINDS = ("generation", "understanding", "ablation", "layers", "external", "pca", "matrix", "sweep", "pareto", "pick")
_WIDTHS = ("auto", "column", "page")


@click.command()
@click.argument("kind", metavar="|".join(_KINDS))
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RUN [RUN ...]")
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="File to write, with the ending .svg, .pdf or .png.",
)
@click.option("--task", "tasks", multiple=True, metavar="NAME", help="Show only this task; may be repeated.")
@click.option("--metric", "metrics", multiple=True, metavar="NAME", help="Show only this metric; may be repeated.")
@click.option("--language", "languages", multiple=True, metavar="CODE", help="Show only this language; may be repeated.")
@click.option("--variant", "variants", multiple=True, metavar="NAME", help="Show only this variant and base; may be repeated.")
@click.option(
    "--by",
    "by",
    multiple=True,
    metavar="SWITCH",
    help="For `ablation`: setting on the x axis. For `sweep`: the same, repeated for the y axis. Default: what varies.",
)
@click.option("--over", metavar="SWITCH", help="For `sweep`: setting with one panel for each of its values.")
@click.option("--identifier", metavar="NAME", help="For `matrix`: language identifier to use. Default: the first one of the run.")
@click.option("--turn", type=click.IntRange(1, 2), default=1, help="For `matrix`: turn of the conversation.")
@click.option("--lines", is_flag=True, help="For `matrix`: count lines of answers instead of whole answers.")
@click.option("--native", is_flag=True, help="Write language names in their own script.")
@click.option(
    "--width",
    type=click.Choice(_WIDTHS),
    default="auto",
    help="Width of the figure: one column (3.3 in) or a full page (6.8 in) of a paper.",
)
def command(kind: str, runs: tuple[Path, ...], out: Path, **options: Any) -> None:
    """Draw a figure of one or several runs and print its caption.

    \b
    Examples:
      lensbench figure generation RUN --out generation.pdf
      lensbench figure understanding RUN --native --out understanding.svg
      lensbench figure layers RUN_21 RUN_25 RUN_31 --out layers.pdf
      lensbench figure ablation RUN_A RUN_B RUN_C --by push_strength.zh --out ablation.pdf
      lensbench figure sweep RUN --by lens.start_layer --by lens.push_strength --out sweep.pdf
      lensbench figure pareto RUN --out pareto.pdf
      lensbench figure pick RUN --out pick.pdf
      lensbench figure matrix RUN --task multiq --out matrix.png
    """
    from lensbench.api import figure
    from lensbench.cli.render import warn

    drawn = figure(kind, runs, out=out, **options)
    warn(drawn.warnings)
    echo(f"figure: {out}")
    echo(drawn.caption)
