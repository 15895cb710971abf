"""An asked x answered matrix as rows of text."""

from __future__ import annotations

from collections.abc import Sequence

from lensbench.grading.fidelity.matrix import Matrix
from lensbench.numbers.answered import AnsweredMatrix
from lensbench.spec import BASE

__all__ = ["matrix_table", "with_base"]


def with_base(matrices: Sequence[AnsweredMatrix]) -> list[tuple[AnsweredMatrix, AnsweredMatrix | None]]:
    """Each matrix with the untouched backbone's of the same task, identifier, level and turn; None beside the backbone's own."""

    def place(one: AnsweredMatrix) -> tuple[str, str, str, int]:
        return one.task, one.identifier, one.matrix.level, one.matrix.turn

    base = {place(one): one for one in matrices if one.matrix.variant == BASE}
    return [(one, base.get(place(one)) if one.matrix.variant != BASE else None) for one in matrices]


def matrix_table(shown: AnsweredMatrix, before: AnsweredMatrix | None = None) -> tuple[str, list[str], list[list[str]]]:
    """Title, header and rows, in percent of the answers (or lines) asked in a language.

    Args:
        before: The same matrix of the untouched backbone; a share that differs is followed by its change in points.
    """
    matrix, base = shown.matrix, before.matrix if before else None
    unit = "answers" if matrix.level == "answer" else "lines"
    title = f"{shown.task} · {matrix.variant} · turn {matrix.turn}: % of {unit}, asked (rows) x answered (columns)"
    if base:
        title += "; in brackets the change to base, in points"
    cells = list(dict.fromkeys([*matrix.answered, *(base.answered if base else ())]))
    rows = []
    for asked, total in zip(matrix.asked, matrix.totals, strict=True):
        texts = []
        for cell in cells:
            now, then = _percent(matrix, asked, cell), _percent(base, asked, cell) if base else None
            text = f"{now:.0f}" if now else "."
            if then is not None and now is not None and round(now - then):
                text += f" ({now - then:+.0f})"
            texts.append(text)
        rows.append([asked, *texts, str(total)])
    return title, ["asked", *(cell.replace("_", " ") for cell in cells), "n"], rows


def _percent(matrix: Matrix, asked: str, cell: str) -> float | None:
    if asked not in matrix.asked:
        return None
    share = matrix.share(asked, cell)
    return None if share is None else 100 * matrix.count(asked, cell) / sum(matrix.counts[matrix.asked.index(asked)])
