"""MGSM: `mgsm_<code>.tsv`, a question and a number a line, aligned by line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from lensbench.datasets.importing.model import Context, Format, Original, Skip, Split
from lensbench.datasets.importing.reading import checked, checked_width, known_language, lines
from lensbench.errors import DataError
from lensbench.languages import language_of

__all__ = ["MGSM"]

_RELEASE = 250
_NAME = re.compile(r"mgsm_([a-z]{2})\.tsv")
_NUMBER = re.compile(r"-?(?:[0-9]{1,18}|[0-9]{1,3}(?:,[0-9]{3}){1,5})")


def _recognise(original: Original) -> str | Skip | None:
    match = _NAME.fullmatch(original.path.name)
    if match is None:
        return None
    if language_of("mgsm", match[1]) is None:
        return Skip(f"language '{match[1]}' is not in the language table")
    return original.name


def _convert(originals: Sequence[Original], context: Context) -> Iterator[Split]:
    for original in originals:
        language = known_language("mgsm", _NAME.sub(r"\1", original.path.name))
        rows = []
        commas = seen = 0
        for number, line in lines(original):
            seen = number
            with original.row(number):
                where = f"{original}, line {number}"
                question, answer = checked_width(line.split("\t"), 2, where)
                if not _NUMBER.fullmatch(answer):
                    raise DataError(f"{where}, column 'answer': expected a whole number, found {answer!r}")
                row = {"id": str(number), "question": question, "answer": int(answer.replace(",", ""))}
                rows.append(checked(row, "mgsm", where))
                commas += "," in answer
        notes = (f"{commas} answers written with commas",) if commas else ()
        yield Split(
            "mgsm", language, "test", rows, (original,), "CC BY 4.0", notes=notes, expected=_RELEASE, seen=seen, numbered=True
        )


MGSM = Format("mgsm", _recognise, _convert)
