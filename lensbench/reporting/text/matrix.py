"""An asked x answered matrix as rows of text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["matrix_table", "with_base"]


def with_base(matrices: Sequence[Mapping[str, Any]]) -> list[tuple[Mapping[str, Any], Mapping[str, Any] | None]]:
    """Each matrix with the untouched backbone's of the same task, identifier, level and turn; None beside the backbone's own."""

    def place(matrix: Mapping[str, Any]) -> tuple[Any, ...]:
        return tuple(matrix[key] for key in ("task", "identifier", "level", "turn"))

    base = {place(matrix): matrix for matrix in matrices if matrix["variant"] == "base"}
    return [(matrix, base.get(place(matrix)) if matrix["variant"] != "base" else None) for matrix in matrices]


def matrix_table(matrix: Mapping[str, Any], base: Mapping[str, Any] | None = None) -> tuple[str, list[str], list[list[str]]]:
    """Title, header and rows, in percent of the answers (or lines) asked in a language.

    Args:
        matrix: As it stands in results.json.
        base: The same matrix of the untouched backbone; a share that differs is followed by its change in points.
    """
    unit = "answers" if matrix["level"] == "answer" else "lines"
    title = f"{matrix['task']} · {matrix['variant']} · turn {matrix['turn']}: % of {unit}, asked (rows) x answered (columns)"
    if base:
        title += "; in brackets the change to base, in points"
    cells = list(dict.fromkeys([*matrix["answered"], *(base["answered"] if base else ())]))
    rows = []
    for asked, total in zip(matrix["asked"], matrix["totals"], strict=True):
        shown = []
        for cell in cells:
            now, before = _percent(matrix, asked, cell), _percent(base, asked, cell) if base else None
            text = f"{now:.0f}" if now else "."
            if before is not None and now is not None and round(now - before):
                text += f" ({now - before:+.0f})"
            shown.append(text)
        rows.append([asked, *shown, str(total)])
    return title, ["asked", *(cell.replace("_", " ") for cell in cells), "n"], rows


def _percent(matrix: Mapping[str, Any], asked: str, cell: str) -> float | None:
    if asked not in matrix["asked"]:
        return None
    row = matrix["counts"][list(matrix["asked"]).index(asked)]
    if cell not in matrix["answered"] or not sum(row):
        return 0.0 if sum(row) else None
    return 100 * row[list(matrix["answered"]).index(cell)] / sum(row)
