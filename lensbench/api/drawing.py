"""Figures of runs for papers."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lensbench.api.arguments import a_path, a_whole_number, names, one_of
from lensbench.api.comparison import run_paths
from lensbench.api.rendering import damage_notes, missing_lines
from lensbench.errors import UsageError, unknown_name
from lensbench.jsonio import JsonObject

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.figure import Figure

__all__ = ["FIGURES", "Drawing", "figure"]

FIGURES = ("generation", "understanding", "ablation", "layers", "external", "pca", "matrix", "sweep", "pareto", "pick")
_WIDTHS = ("auto", "column", "page")


class Drawing:
    """A figure with its caption.

    Attributes:
        figure: Matplotlib's figure.
        caption: What stands below it in a paper.
        warnings: Runs that are unfinished, and lines that could not be read.
    """

    def __init__(self, figure: Figure, caption: str, warnings: Sequence[str]) -> None:
        self.figure, self.caption, self.warnings = figure, caption, tuple(warnings)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the figure; the file's ending says how: .svg, .pdf or .png.

        Raises:
            UsageError: another ending.
            RunError: the file cannot be written.
        """
        from lensbench.reporting.figures import save_figure

        target = a_path("out", path)
        save_figure(self.figure, target, self.caption)
        return target

    def _repr_png_(self) -> bytes:
        stream = io.BytesIO()
        self.figure.savefig(stream, format="png")
        return stream.getvalue()


def figure(
    kind: str,
    runs: Sequence[Any],
    *,
    out: str | os.PathLike[str] | None = None,
    tasks: Sequence[str] = (),
    metrics: Sequence[str] = (),
    languages: Sequence[str] = (),
    variants: Sequence[str] = (),
    by: Sequence[str] = (),
    over: str | None = None,
    identifier: str | None = None,
    turn: int = 1,
    lines: bool = False,
    native: bool = False,
    width: str = "auto",
) -> Drawing:
    """Draw a figure of one or several runs.

    Args:
        kind: "generation", "understanding", "ablation", "layers", "external", "pca", "matrix", "sweep", "pareto" or "pick".
        runs: `Run` objects, run folders, or results of lm-evaluation-harness.
        out: Also write it to this file (.svg, .pdf or .png).
        tasks: Show these only; likewise `metrics`, `languages` and `variants`.
        by: ablation: the settings along x; () takes all that differ. sweep: the setting along x, and optionally the one along y.
        over: sweep: a setting with one panel for each of its values.
        identifier: matrix: whose labels; None takes the first there are.
        turn: matrix: of which turn, 1 or 2.
        lines: matrix: lines of answers, not whole answers.
        native: Name languages in their own script.
        width: "column" (3.3 in) or "page" (6.8 in) of a paper; "auto" by what is shown.

    Raises:
        UsageError: an unknown kind or name, or runs that do not have what the figure shows.
        UnavailableError: matplotlib is not installed.
    """
    if kind not in FIGURES:
        raise unknown_name("figure", kind, FIGURES)
    from lensbench.printable import printable
    from lensbench.reporting import figures
    from lensbench.reporting.figures.style import format_of
    from lensbench.reporting.open_runs import open_runs

    if out is not None:
        format_of(a_path("out", out))
    wide = {"auto": None, "column": figures.COLUMN, "page": figures.PAGE}[one_of("width", width, _WIDTHS)]
    look: JsonObject = {"native": native, "width": wide}
    read = open_runs(run_paths(runs))
    choice = figures.Choice(
        names("tasks", tasks, "xcopa"), names("metrics", metrics, "acc"), names("languages", languages, "zh"), tuple(variants)
    )
    if kind == "generation":
        drawn = figures.per_language(read, "generation", choice, **look)
    elif kind == "understanding":
        drawn = figures.per_language(read, "understanding", choice, **look)
    elif kind == "ablation":
        drawn = figures.ablation(read, choice, fields=names("by", by, "rank"), **look)
    elif kind == "sweep":
        drawn = figures.sweep(read, choice, by=names("by", by, "rank"), over=over, **look)
    elif kind == "matrix":
        if len(choice.tasks) > 1:
            raise UsageError("``task``: a matrix shows only one task")
        drawn = figures.matrix(
            read,
            task=next(iter(choice.tasks), None),
            level="line" if lines else "answer",
            turn=a_whole_number("turn", turn, 1, 2),
            identifier=identifier,
            variants=choice.variants,
            **look,
        )
    else:
        ways = {
            "layers": figures.layers,
            "external": figures.external,
            "pareto": figures.pareto,
            "pca": figures.pca,
            "pick": figures.pick,
        }
        drawn = ways[kind](read, choice, **look)
    gone = [f"{run.label}: {note[2:]}" if run.label else note[2:] for run in read for note in missing_lines(run.results.missing)]
    warnings: list[str] = []
    for run in read:
        if not run.finished:
            warnings.append(f"! {run.folder.path} is unfinished: the figure goes as far as it got")
        warnings += damage_notes(run.folder)
    made = Drawing(drawn.figure, printable(" ".join([drawn.caption, *(f"Missing: {note}." for note in gone)])), warnings)
    if out is not None:
        made.save(out)
    return made
