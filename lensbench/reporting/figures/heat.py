"""The asked x answered matrix as a heat map with its numbers in the cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lensbench.errors import UsageError, unknown_name
from lensbench.records import Grader
from lensbench.reporting.figures.fonts import Label, printable
from lensbench.reporting.figures.style import PAGE, luminance, new_figure
from lensbench.reporting.html.runs import ReportRun

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["choose_matrices", "draw_matrices", "matrix_caption"]

_SHADES = "Blues"
"""One hue, from white to dark: it reads in grey as it does in colour."""
_CELL, _NAMES, _LINE = 0.21, 0.5, 0.16


def choose_matrices(
    runs: Sequence[ReportRun],
    *,
    task: str | None = None,
    level: str = "answer",
    turn: int = 1,
    identifier: str | None = None,
    variants: Sequence[str] = (),
) -> list[tuple[str, Mapping[str, Any]]]:
    """The matrices of one task, level, turn and identifier, each with the name of its variant.

    Args:
        task: None takes the first that has any.
        identifier: Name (`glotlid`, `lid176`); None takes the first there is.

    Raises:
        UsageError: there is none like it; names what there is.
    """
    found = [(run.label, m) for run in runs for m in run.results.get("matrices") or ()]
    if not found:
        raise UsageError("no asked x answered matrix in these runs", "It is made where the language of answers was identified.")
    task = _one("task", task, [m["task"] for _, m in found])
    found = [pair for pair in found if pair[1]["task"] == task]
    identifier = _one("identifier", identifier, [_name_of(m) for _, m in found])
    found = [pair for pair in found if _name_of(pair[1]) == identifier]
    for name in variants:
        if name not in {m["variant"] for _, m in found}:
            raise unknown_name("variant", name, {m["variant"] for _, m in found})
    wanted = [
        (f"{label} · {m['variant']}" if label else m["variant"], m)
        for label, m in found
        if m["level"] == level and m["turn"] == turn and (not variants or m["variant"] in variants)
    ]
    if not wanted:
        there = sorted({f"level {m['level']}, turn {m['turn']}" for _, m in found})
        raise UsageError(f"{task} has no matrix of level {level}, turn {turn}", f"It has: {'; '.join(there)}.")
    return wanted


def draw_matrices(
    matrices: Sequence[tuple[str, Mapping[str, Any]]], labels: dict[str, Label], width: float | None = None
) -> Figure:
    """The figure, to be called within `styled()`: rows are the languages asked, columns what the answers were in."""
    answered = list(dict.fromkeys(cell for _, m in matrices for cell in m["answered"]))
    # Columns are in one order for all matrices: languages of the questions first, as the rows are.
    asked = list(dict.fromkeys(code for _, m in matrices for code in m["asked"]))
    answered = [*(code for code in asked if code in answered), *(cell for cell in answered if cell not in asked)]
    wide, high = _NAMES + _CELL * len(answered), _CELL * len(asked)
    across = max(1, min(len(matrices), int((width or PAGE) / wide)))
    rows = -(-len(matrices) // across)
    size = (width or min(PAGE, max(across * wide + 0.2, 2.2)), rows * (high + _NAMES + _LINE) + 0.2)
    figure = new_figure(*size)
    grid = figure.subplots(rows, across, squeeze=False).flatten()
    for number, (name, matrix) in enumerate(matrices):
        _draw(grid[number], name, matrix, asked, answered, labels)
        if number % across:
            grid[number].set_ylabel("")
        if number + across < len(matrices):
            grid[number].set_xlabel("")
    for spare in grid[len(matrices) :]:
        spare.remove()
    return figure


def matrix_caption(title: str, matrices: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    first = matrices[0][1]
    unit = "answers" if first["level"] == "answer" else "lines of answers"
    totals = sorted({total for _, m in matrices for total in m["totals"]})
    n = str(totals[0]) if len(totals) == 1 else f"{totals[0]} to {totals[-1]}"
    return (
        f"{title}, turn {first['turn']}: share of {unit} in percent, language asked (rows) and answered (columns), by "
        f"{_name_of(first)}. n = {n} per row; every answer is in a column, also empty ones. "
        "A dot stands for none, a frame for the language that was asked."
    )


def _draw(
    axes: Axes, name: str, matrix: Mapping[str, Any], asked: Sequence[str], answered: Sequence[str], labels: dict[str, Label]
) -> None:
    import matplotlib
    from matplotlib.colors import to_hex
    from matplotlib.patches import Rectangle

    shades = matplotlib.colormaps[_SHADES]
    for row, code in enumerate(asked):
        counts = (
            dict(zip(matrix["answered"], matrix["counts"][matrix["asked"].index(code)], strict=True))
            if (code in matrix["asked"])
            else {}
        )
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


def _name_of(matrix: Mapping[str, Any]) -> str:
    """The identifier by its name alone."""
    return Grader.parse(matrix["identifier"], "identifier").name


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
