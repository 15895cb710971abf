"""The 80 questions of Vicuna, a single turn each: `questions_<Language>.jsonl` of MultilingualSIFT."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from lensbench.datasets.importing.model import Context, Format, Original, Skip, Split
from lensbench.datasets.importing.reading import Once, checked, column, json_lines
from lensbench.datasets.rows import Row
from lensbench.errors import DataError
from lensbench.languages import language_named

__all__ = ["VICUNA"]

_NAME = re.compile(r"questions_([A-Za-z]+)\.jsonl")
_RELEASE = 80
_COLUMNS = ("question_id", "text", "category")


def _recognise(original: Original) -> str | Skip | None:
    match = _NAME.fullmatch(original.path.name)
    if match is None or not all(name in original.first_object for name in _COLUMNS):
        return None
    return (
        original.name
        if language_named(match[1]) is not None
        else Skip(f"Vicuna's questions, but language '{match[1]}' is not in the language table")
    )


def _convert(originals: Sequence[Original], context: Context) -> Iterator[Split]:
    for original in originals:
        rows: list[Row] = []
        once = Once("question_id")
        seen = 0
        for number, record in json_lines(original):
            seen += 1
            with original.row(number):
                where = f"{original}, line {number}"
                question_id, prompt = column(record, "question_id", int, where), column(record, "text", str, where)
                once.check(question_id, number, where)
                if not prompt.strip():
                    raise DataError(f"{where}, column 'text': empty text")
                row = {"question_id": question_id, "category": column(record, "category", str, where), "prompt": prompt}
                rows.append(checked(row, "vicuna80", where))
        # The release calls most languages by their English names, and German by its own.
        language = language_named(_NAME.sub(r"\1", original.path.name))
        assert language is not None
        yield Split("vicuna80", language, "test", rows, (original,), "Apache-2.0", expected=_RELEASE, seen=seen)


VICUNA = Format("vicuna80", _recognise, _convert)
