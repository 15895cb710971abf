"""The rows of one MT-Bench set: its questions, and the answers that are stored as references."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Collection
from typing import Any

from lensbench.datasets.importing.formats.mt_bench_sets import QuestionSet, split_id
from lensbench.datasets.importing.model import Original
from lensbench.datasets.importing.reading import Once, as_object, checked, column, json_lines, label
from lensbench.datasets.rows import Row, load_rows_spec
from lensbench.errors import DataError

__all__ = ["add_answers", "listed", "questions"]

ENGLISH_IDS = range(81, 161)
SHIFT = 1000
"""huozi numbers its questions so much higher."""


def questions(found: QuestionSet, notes: list[str]) -> list[Row]:
    """The questions as rows, with their own references; what was found, mended or left out is added to the notes.

    Raises:
        DataError: the file cannot be read. A row is kept as a problem where its id comes twice or is not understood, its
            language is not the first line's, its category is unknown, or its turns or reference are not two texts.
    """
    original = found.questions
    categories = {name: name for name in load_rows_spec("mt_bench").columns["category"].values or ()}
    prefix = f"{found.language.code}_"
    rows: list[Row] = []
    blank: list[int] = []
    printed: list[int] = []
    unreadable: list[int] = []
    renumbered = prefixed = 0
    once = Once("question_id")
    for number, record in json_lines(original):
        with original.row(number):
            where = f"{original}, line {number}"
            question_id = _question_id(record, where)
            once.check(question_id, number, where, record["question_id"])
            _same_language(record, original.first_object, where)
            written = column(record, "category", str, where)
            category = label(written.removeprefix(prefix), categories, where, "category")
            turns = _two_texts(column(record, "turns", list, where), where, "turns")
            row: Row = {"question_id": question_id, "category": category, "turns": turns}
            reference = record.get("reference")
            if isinstance(reference, str):
                (printed if (reference := _read_back(reference)) else unreadable).append(question_id)
            if reference is not None and reference != []:
                row["reference"] = _two_texts(reference, where, "reference")
            if all(turn.strip() for turn in turns):
                rows.append(checked(row, "mt_bench", where))
            else:
                blank.append(question_id)
            renumbered += record["question_id"] != question_id
            prefixed += category != written
    notes.append(f"{sum('reference' in row for row in rows)} of {len(rows)} questions carry a reference of the set itself")
    if blank:
        notes.append(f"{len(blank)} questions left out, a turn is blank: {listed(blank)}")
    if renumbered:
        notes.append(f"{renumbered} question ids were written otherwise, the first as {original.first_object['question_id']!r}")
    if prefixed:
        notes.append(f"{prefixed} categories were written with '{prefix}' before them")
    ids = [row["question_id"] for row in rows]
    if not set(ids) <= set(ENGLISH_IDS):
        notes.append(f"question ids {listed(ids)} are the set's own: the same id is another question in English")
    if printed:
        notes.append(f"{len(printed)} references were printed Python lists, which were read back")
    if unreadable:
        notes.append(f"{len(unreadable)} references left out, printed lists that cannot be read back: {listed(unreadable)}")
    return rows


def add_answers(rows: list[Row], original: Original, notes: list[str]) -> tuple[str, ...]:
    """Put the stored answers into the rows they belong to, and say which models wrote them.

    Raises:
        DataError: the file cannot be read. An id that comes twice or is not understood, or an answer that is not two texts,
            is kept as a problem of its row.
    """
    answers: dict[int, Row] = {}
    once = Once("question_id")
    for number, record in json_lines(original):
        with original.row(number):
            where = f"{original}, line {number}"
            question_id = _question_id(record, where)
            once.check(question_id, number, where, record["question_id"])
            choices = column(record, "choices", list, where)
            if len(choices) != 1:
                raise DataError(f"{where}, column 'choices': expected one answer, found {len(choices)}")
            choice = as_object(choices[0], f"{where}, column 'choices'")
            turns = _two_texts(column(choice, "turns", list, f"{where}, column 'choices'"), where, "turns")
            if not all(turn.strip() for turn in turns):
                raise DataError(f"{where}, column 'turns': empty text")
            answer = {"reference_answer": turns, "reference_model": column(record, "model_id", str, where)}
            checked({"category": "math", "turns": ["-", "-"]} | answer, "mt_bench", where)
            answers[question_id] = answer
    for row in rows:
        row |= answers.get(row["question_id"], {})
    models = sorted({row["reference_model"] for row in rows if "reference_model" in row})
    used = {row["question_id"] for row in rows if "reference_model" in row}
    notes.append(f"{len(used)} of {len(rows)} questions have a reference answer by {', '.join(models) or 'any model'}")
    orphans = answers.keys() - used
    if orphans:
        notes.append(f"{len(orphans)} reference answers left out, their questions are not here: {listed(orphans)}")
    return tuple(models)


def _question_id(record: Row, where: str) -> int:
    """81 for 81, "81", "81_IT" and 1081.

    Raises:
        DataError: missing, or written in none of these ways.
    """
    written = column(record, "question_id", object, where)
    parts = split_id(written)
    if parts is None:
        raise DataError(f"{where}, column 'question_id': {written!r} is no question id", 'Known are 81, "81", "81_IT", 1081.')
    return parts[0] - SHIFT if parts[0] - SHIFT in ENGLISH_IDS else parts[0]


def _same_language(record: Row, first: Row, where: str) -> None:
    for name, said, expected in (
        ("lang", record.get("lang"), first.get("lang")),
        ("question_id", *((split_id(each["question_id"]) or (0, ""))[1] for each in (record, first))),
    ):
        if said != expected:
            raise DataError(f"{where}, column '{name}': language {said!r}, but {expected!r} in the first line")


def _two_texts(value: Any, where: str, name: str) -> list[str]:
    if not isinstance(value, list) or len(value) != 2:
        found = len(value) if isinstance(value, list) else type(value).__name__
        raise DataError(f"{where}, column '{name}': expected 2 texts, one a turn, found {found}")
    for text in value:
        if not isinstance(text, str):
            raise DataError(f"{where}, column '{name}': expected str, found {type(text).__name__} {text!r}")
    return value


def _read_back(text: str) -> list[str] | None:
    """The two texts of a Python list that was printed, then translated; translating broke the quotes of some.

    ServiceNow's Spanish, Italian and Japanese sets hold their references this way.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of `\(` in TeX
            value = ast.literal_eval(text)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return None
    whole = isinstance(value, list) and len(value) == 2 and all(isinstance(each, str) for each in value)
    return value if whole else None


def listed(ids: Collection[int]) -> str:
    """`81-83, 90`."""
    runs: list[list[int]] = []
    for each in sorted(ids):
        if runs and each == runs[-1][-1] + 1:
            runs[-1][1:] = [each]
        else:
            runs.append([each])
    return ", ".join("-".join(map(str, run)) for run in runs)
