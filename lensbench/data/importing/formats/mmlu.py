"""What the CSV releases of MMLU and its kin have in common: a file per subject, four options, `dev` and `test`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from lensbench.data.importing.model import Original, Skip, Split
from lensbench.data.importing.reading import csv_records, label
from lensbench.data.rows import check_rows, load_rows_spec
from lensbench.errors import DataError
from lensbench.languages import get_language

__all__ = ["LETTERS", "group_of", "headerless", "pooled", "subject_of"]

LETTERS = {letter: letter for letter in "ABCD"}
_SPLIT = {"dev": "val", "test": "test"}
"""The release's few-shot examples go where the hub's set keeps its small split."""
_ENDING = re.compile(r"_(dev|test|val)$")


def subject_of(original: Original) -> str:
    """`anatomy` of `anatomy.csv` and of `anatomy_test.csv`."""
    return _ENDING.sub("", original.path.stem)


def group_of(original: Original, default: str | None = None) -> str | Skip:
    """The folder and the split, so that the subjects of one split are pooled."""
    split = _split_of(original, default)
    if split is None:
        return Skip("the split is unknown: neither the file's name nor its folder says dev or test")
    return f"{original.name.rpartition('/')[0]}:{split}"


def _split_of(original: Original, default: str | None) -> str | None:
    ending = _ENDING.search(original.path.stem)
    return _SPLIT.get(ending[1] if ending else original.folder, default)


def headerless(original: Original, folders: Sequence[str], script: str) -> bool:
    """Whether this is a CSV of question, options and letter in a script, known by its folder or its first line."""
    if original.path.suffix != ".csv":
        return False
    if any(part.lower() in folders for part in original.path.absolute().parts[-3:-1]):
        return True
    cells = original.first_cells
    return len(cells) == 6 and cells[5] in LETTERS and re.search(script, original.first_line) is not None


def pooled(
    originals: Sequence[Original],
    language: str,
    licence: str,
    *,
    default: str | None = None,
    header: Sequence[str] = (),
    first: int = 0,
    answers: dict[str, str] = LETTERS,
    stand_in: str | None = None,
) -> Iterator[Split]:
    """One split of all subjects, in sorted order.

    Args:
        default: The split of files whose name and folder say none.
        header: The column names of the first line; empty when the files have no header.
        first: Index of the question's column; the options and the answer follow.
        answers: The release's label codes -> letters.

    Raises:
        DataError: with file, line and column.
    """
    split = _split_of(originals[0], default) or "test"
    names = header or ("question", "A", "B", "C", "D", "answer")
    records: list[dict[str, Any]] = []
    ordered = tuple(sorted(originals, key=subject_of))
    for original in ordered:
        rows: list[dict[str, Any]] = []
        seen_header = not header
        for line, cells in csv_records(original, len(names)):
            where = f"{original}, line {line}"
            if not seen_header:
                seen_header = True
                if cells != list(header):
                    raise DataError(f"{where}: expected the header {','.join(header)}", f"Found: {','.join(cells)}.")
                continue
            question, *options, answer = cells[first:]
            if not question.strip():
                raise DataError(f"{where}, column '{names[first]}': empty text")
            rows.append(
                {
                    "id": f"{subject_of(original)}/{split}/{len(rows) + 1}",
                    "instruction": question,
                    **{f"option_{name}": option for name, option in zip("abcd", options, strict=True)},
                    "answer": label(answer, answers, where, names[-1]),
                }
            )
        if not rows:
            raise DataError(f"{original}: no rows")
        check_rows(rows, load_rows_spec("m_mmlu"), str(original))
        records += rows
    pool = f"subjects pooled: {len(ordered)}; ids are subject/split/number"
    yield Split("m_mmlu", get_language(language), split, records, ordered, licence, stand_in, (pool,))
