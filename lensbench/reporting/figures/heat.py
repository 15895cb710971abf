"""The asked x answered matrix as a heat map with its numbers in the cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lensbench.errors import UsageError, unknown_name
from lensbench.grading.fidelity.matrix import Matrix
from lensbench.numbers.answered import AnsweredMatrix
from lensbench.reporting.figures.fonts import Label, printable
from lensbench.reporting.figures.style import PAGE, luminance, new_figure
from lensbench.reporting.run_view import RunView

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["choose_matrices", "draw_matrices", "matrix_caption"]

_SHADES = "Blues"
"""One hue, from white to dark: it reads in grey as it does in colour."""
_CELL, _NAMES, _LINE = 0.21, 0.5, 0.16


def choose_matrices(
    runs: Sequence[RunView],
    *,
    task: str | None = None,
    level: str = "answer",
    turn: int = 1,
    identifier: str | None = None,
    variants: Sequence[str] = (),
) -> list[tuple[str, AnsweredMatrix]]:
    """The matrices of one task, level, turn and identifier, each with the name of its variant.

    Args:
        task: None takes the first that has any.
        identifier: Name (`glotlid`, `lid176`); None takes the first there is.

    Raises:
        UsageError: there is none like it; names what there is.
    """
    found = [(run.label, m) for run in runs for m in run.results.matrices]
    if not found:
        raise UsageError("no asked x answered matrix in these runs", "It is made where the language of answers was identified.")
    task = _one("task", task, [m.task for _, m in found])
    found = [pair for pair in found if pair[1].task == task]
    identifier = _one("identifier", identifier, [m.grader.name for _, m in found])
    found = [pair for pair in found if pair[1].grader.name == identifier]
    there = {m.matrix.variant for _, m in found}
    for name in variants:
        if name not in there:
            raise unknown_name("variant", name, there)
    wanted = [
        (f"{label} · {m.matrix.variant}" if label else m.matrix.variant, m)
        for label, m in found
        if m.matrix.level == level and m.matrix.turn == turn and (not variants or m.matrix.variant in variants)
    ]
    if not wanted:
        levels = sorted({f"level {m.matrix.level}, turn {m.matrix.turn}" for _, m in found})
        raise UsageError(f"{task} has no matrix of level {level}, turn {turn}", f"It has: {'; '.join(levels)}.")
    return wanted


def draw_matrices(matrices: Sequence[tuple[str, AnsweredMatrix]], labels: dict[str, Label], width: float | None = None) -> Figure:
    """The figure, to be called within `styled()`: rows are the languages asked, columns what the answers were in."""
    answered = list(dict.fromkeys(cell for _, m in matrices for cell in m.matrix.answered))
    # Columns are in one order for all matrices: languages of the questions first, as the rows are.
    asked = list(dict.fromkeys(code for _, m in matrices for code in m.matrix.asked))
    answered = [*(code for code in asked if code in answered), *(cell for cell in answered if cell not in asked)]
    wide, high = _NAMES + _CELL * len(answered), _CELL * len(asked)
    across = max(1, min(len(matrices), int((width or PAGE) / wide)))
    rows = -(-len(matrices) // across)
    size = (width or min(PAGE, max(across * wide + 0.2, 2.2)), rows * (high + _NAMES + _LINE) + 0.2)
    figure = new_figure(*size)
    grid = figure.subplots(rows, across, squeeze=False).flatten()
    for number, (name, one) in enumerate(matrices):
        _draw(grid[number], name, one.matrix, asked, answered, labels)
        if number % across:
            grid[number].set_ylabel("")
        if number + across < len(matrices):
            grid[number].set_xlabel("")
    for spare in grid[len(matrices) :]:
        spare.remove()
    return figure


def matrix_caption(title: str, matrices: Sequence[tuple[str, AnsweredMatrix]]) -> str:
    first = matrices[0][1]
    unit = "answers" if first.matrix.level == "answer" else "lines of answers"
    totals = sorted({total for _, m in matrices for total in m.matrix.totals})
    n = str(totals[0]) if len(totals) == 1 else f"{totals[0]} to {totals[-1]}"
    return (
        f"{title}, turn {first.matrix.turn}: share of {unit} in percent, language asked (rows) and answered (columns), by "
        f"{first.grader.name}. n = {n} per row; every answer is in a column, also empty ones. "
        "A dot stands for none, a frame for the language that was asked."
    )


def _draw(axes: Axes, name: str, matrix: Matrix, asked: Sequence[str], answered: Sequence[str], labels: dict[str, Label]) -> None:
    import matplotlib
    from matplotlib.colors import to_hex
    from matplotlib.patches import Rectangle

    shades = matplotlib.colormaps[_SHADES]
    for row, code in enumerate(asked):
        counts = {cell: matrix.count(code, cell) for cell in matrix.answered}
        total = sum(counts.values())
        for column, cell in enumerate(answered):
            share = counts.get(cell, 0) / total if total else 0.0
            fill = to_hex(shades(0.9 * share))
            axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor=fill, edgecolor="#ffffff", linewidth=0.5))
            # Whichever of black and white stands out more.
            dark = luminance(fill) < 0.18
            axes.text(
                column,
                row,
                _percent(counts.get(cell, 0), total),
                ha="center",
                va="center",
                fontsize=6,
                color="#ffffff" if dark else "#101010",
            )
            if cell == code:
                axes.add_patch(Rectangle((column - 0.47, row - 0.47), 0.94, 0.94, fill=False, edgecolor="#000000", linewidth=0.8))
    axes.set_xlim(-0.5, len(answered) - 0.5)
    axes.set_ylim(len(asked) - 0.5, -0.5)
    axes.set_aspect("equal")
    axes.set_xticks(range(len(answered)), [_name(cell, labels) for cell in answered], rotation=90)
    axes.set_yticks(range(len(asked)), [_name(code, labels) for code in asked])
    for tick, cell in [*zip(axes.get_xticklabels(), answered, strict=True), *zip(axes.get_yticklabels(), asked, strict=True)]:
        if cell in labels:
            tick.set_fontfamily(list(labels[cell].families))
    axes.tick_params(length=0, labelsize=6.5)
    axes.spines[:].set_visible(False)
    axes.set_title(printable(name), loc="left")
    axes.set_xlabel("answered")
    axes.set_ylabel("asked")


def _percent(count: int, total: int) -> str:
    """Whole percent; what is there and rounds to nothing is not shown as nothing."""
    if not count:
        return "·" if total else ""
    share = 100 * count / total
    return "<1" if share < 0.5 else f"{share:.0f}"


def _name(cell: str, labels: dict[str, Label]) -> str:
    return labels[cell].text if cell in labels else printable(cell.replace("_", " "))


def _one(kind: str, given: str | None, there: Sequence[str]) -> str:
    if given is None:
        return there[0]
    if given not in there:
        raise unknown_name(kind, given, set(there))
    return given
