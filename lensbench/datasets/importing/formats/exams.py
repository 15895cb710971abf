"""EXAMS: school exams in JSON lines, with three to five choices; those with four fit the shape of M-MMLU."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from lensbench.datasets.importing.model import Context, Format, Original, Split
from lensbench.datasets.importing.reading import Once, as_object, checked, column, json_lines
from lensbench.datasets.rows import Row
from lensbench.errors import DataError
from lensbench.languages import Language, language_named

__all__ = ["EXAMS"]

STAND_IN = "EXAMS: school exams, not a translation of MMLU"
LETTERS = "ABCD"
_TEST = {"Arabic": 562, "Vietnamese": 1222, "Italian": 636, "Spanish": 235}
"""Rows of the release's test file."""
_WHOLE = {"train": 7961, "dev": 2672, "test": 13_510}
"""Rows of the multilingual files, all languages together."""


def _recognise(original: Original) -> str | None:
    question = original.first_object.get("question")
    return original.name if isinstance(question, dict) and "stem" in question else None


def _convert(originals: Sequence[Original], context: Context) -> Iterator[Split]:
    by_name: dict[str, Language] = {}
    nameless: set[str] = set()
    for original in originals:
        rows: dict[str, list[Row]] = {}
        other: dict[str, Counter[int]] = {}
        unknown: Counter[str] = Counter()
        seen: Counter[str] = Counter()
        once = Once("id")
        total = 0
        for number, record in json_lines(original):
            total += 1
            with original.row(number):
                where = f"{original}, line {number}"
                name = column(column(record, "info", dict, where), "language", str, where)
                if name not in by_name and name not in nameless:
                    if (language := language_named(name)) is None:
                        nameless.add(name)
                    else:
                        by_name[name] = language
                if name in nameless:
                    unknown[name] += 1
                    continue
                seen[name] += 1
                counts = other.setdefault(name, Counter())
                row, choices = _row(record, where)
                if row is None:
                    counts[choices] += 1
                else:
                    once.check_row(row["id"], checked(row, "m_mmlu", where), number, where)
                    rows.setdefault(name, []).append(row)
        # The test part bears the plain name; the hub's split names stay free for M-MMLU itself.
        split = "exams" if original.path.stem == "test" else f"exams_{original.path.stem}"
        for name in sorted(other):
            notes = tuple(f"{n} rows with {choices} choices left out" for choices, n in sorted(other[name].items()))
            kept = rows.get(name, [])
            yield Split(
                "m_mmlu",
                by_name[name],
                split,
                kept,
                (original,),
                "CC BY-SA 4.0",
                STAND_IN,
                notes,
                expected=_TEST.get(name) if split == "exams" else None,
                seen=seen[name],
                rank="cross-lingual" in original.name,
            )
        whole = _WHOLE.get(original.path.stem) if original.folder != "cross-lingual" else None
        if whole is not None and total < whole:
            context.warn(f"{original.name}: some {total} rows, the whole release has {whole}: a part of it, or the file was cut")
        if unknown:
            listed = ", ".join(f"{unknown[name]} rows in {name}" for name in sorted(unknown))
            context.note(f"{original.name}: {listed} left out, not in the language table")


def _row(record: Row, where: str) -> tuple[Row | None, int]:
    """The row if there are four choices, else None; and the number of choices."""
    question = column(record, "question", dict, where)
    choices = {}
    listed = column(question, "choices", list, where)
    for choice in listed:
        choice = as_object(choice, f"{where}, column 'choices'")
        choices[column(choice, "label", str, where)] = column(choice, "text", str, where)
    # Before the number of choices: the release has the label "@" in some rows of three, and that is said too.
    answer = column(record, "answerKey", str, where)
    if answer not in choices:
        raise DataError(f"{where}, column 'answerKey': label {answer!r} is none of {list(choices)}")
    if len(listed) != len(LETTERS):
        return None, len(listed)
    if sorted(choices) != list(LETTERS):
        raise DataError(f"{where}, column 'choices': expected the labels A to D, found {[c['label'] for c in listed]}")
    options = {f"option_{letter.lower()}": choices[letter] for letter in LETTERS}
    stem = column(question, "stem", str, where)
    return {"id": column(record, "id", str, where), "instruction": stem, **options, "answer": answer}, len(listed)


EXAMS = Format("exams", _recognise, _convert)
