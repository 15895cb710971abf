"""The common part of the CSV releases of MMLU and related sets: a file per subject, four options, `dev` and `test`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from lensbench.datasets.importing.checks import ASK, repeated_from
from lensbench.datasets.importing.model import Context, Original, Skip, Split
from lensbench.datasets.importing.reading import checked, csv_records, label
from lensbench.datasets.rows import Row
from lensbench.errors import DataError
from lensbench.languages import get_language

__all__ = ["LETTERS", "Release", "group_of", "headerless", "pooled", "subject_of"]

LETTERS = {letter: letter for letter in "ABCD"}
_SPLIT = {"dev": "val", "test": "test"}
"""The release's few-shot examples go where the hub's set keeps its small split."""
_ENDING = re.compile(r"_(dev|test|val)$")


def subject_of(original: Original) -> str:
    """`anatomy` of `anatomy.csv` and of `anatomy_test.csv`."""
    return _ENDING.sub("", original.path.stem)


def group_of(original: Original, default: str | None = None) -> str | Skip:
    """The split, so that its subjects are pooled, from whichever folders: JMMLU keeps three of its subjects in a second one."""
    split = _split_of(original, default)
    if split is None:
        return Skip("the split is unknown: neither the file's name nor its folder says dev or test")
    return split


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


@dataclass(frozen=True)
class Release:
    """What the files of one release have in common.

    Attributes:
        language: Canonical code.
        default: The split of files whose name and folder say none.
        header: The column names of the first line; empty when the files have no header.
        first: Index of the question's column; the options and the answer follow.
        answers: The release's label codes -> letters.
        subjects: How many the whole release has.
        rows: Split -> rows of all subjects.
        other_licences: Ending of a folder's name -> licence of the files in it, where that is another.
    """

    language: str
    licence: str
    default: str | None = None
    header: Sequence[str] = ()
    first: int = 0
    answers: Mapping[str, str] = field(default_factory=lambda: LETTERS)
    stand_in: str | None = None
    subjects: int | None = None
    rows: Mapping[str, int] = field(default_factory=dict)
    other_licences: Mapping[str, str] = field(default_factory=dict)


def pooled(originals: Sequence[Original], release: Release, context: Context) -> Iterator[Split]:
    """One split of all subjects, in sorted order. A subject that cannot be read is left out, and its file is a problem.

    Raises:
        DataError: two files hold different rows of one subject, and the user prefers neither.
    """
    split = _split_of(originals[0], release.default) or "test"
    ordered = _one_a_subject(originals, context)
    records: list[Row] = []
    read: list[Original] = []
    warnings: list[str] = []
    seen = 0
    for original in ordered:
        with original.problems.whole(original.name):
            rows, of_file = _rows(original, split, release)
            again = repeated_from(rows, numbered=True)
            if again:
                raise DataError(
                    f"{original}: from row {again + 1} on it repeats its own beginning: the file has its content twice"
                )
            records += rows
            seen += of_file
            read.append(original)
    pool = f"subjects pooled: {len(read)}; ids are subject/split/number"
    if release.subjects and len(read) != release.subjects:
        warnings.append(f"{len(read)} subjects, the release has {release.subjects}")
    elsewhere = [
        (licence, file) for ending, licence in release.other_licences.items() for file in read if file.folder.endswith(ending)
    ]
    licence = release.licence
    for other in dict.fromkeys(licence for licence, _ in elsewhere):
        names = ", ".join(subject_of(file) for each, file in elsewhere if each == other)
        licence += f"; {names}: {other}"
    yield Split(
        "m_mmlu",
        get_language(release.language),
        split,
        records,
        tuple(ordered),
        licence,
        release.stand_in,
        (pool,),
        expected=release.rows.get(split),
        seen=seen,
        numbered=True,
        warnings=tuple(warnings),
    )


def _one_a_subject(originals: Sequence[Original], context: Context) -> list[Original]:
    subjects: dict[str, list[Original]] = {}
    for original in originals:
        subjects.setdefault(subject_of(original), []).append(original)
    chosen = []
    for subject in sorted(subjects):
        files = subjects[subject]
        taken = next((file for file in files if context.preferred([file])), files[0])
        others = [file for file in files if file is not taken]
        if others and not context.preferred([taken]) and any(file.sha256 != taken.sha256 for file in others):
            names = " and ".join(file.name for file in files)
            raise DataError(f"{names} hold different rows of the subject {subject}", ASK)
        for file in others:
            same = "the same as" if file.sha256 == taken.sha256 else "left out, the subject is taken from"
            context.note(f"{file.name}: {same} {taken.name}")
        chosen.append(taken)
    return chosen


def _rows(original: Original, split: str, release: Release) -> tuple[list[Row], int]:
    """The rows of one subject, and how many the file has.

    Raises:
        DataError: it cannot be read, has another header, or no row.
    """
    header, first = release.header, release.first
    names = header or ("question", "A", "B", "C", "D", "answer")
    rows: list[Row] = []
    seen_header = not header
    number = 0
    for line, cells in csv_records(original, len(names)):
        where = f"{original}, line {line}"
        if not seen_header:
            seen_header = True
            if cells != list(header):
                raise DataError(f"{where}: expected the header {','.join(header)}", f"Found: {','.join(cells)}.")
            continue
        number += 1
        with original.row(line):
            question, *options, answer = cells[first:]
            if not question.strip():
                raise DataError(f"{where}, column '{names[first]}': empty text")
            row = {
                # The number counts the wrong rows too, so that the rows after one keep theirs.
                "id": f"{subject_of(original)}/{split}/{number}",
                "instruction": question,
                **{f"option_{name}": option for name, option in zip("abcd", options, strict=True)},
                "answer": label(answer, dict(release.answers), where, names[-1]),
            }
            rows.append(checked(row, "m_mmlu", where))
    if not number:
        raise DataError(f"{original}: no rows")
    return rows, number
