"""NTREX-128: a text file per language, one sentence a line, aligned by line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from lensbench.datasets.importing.model import Context, Format, Original, Skip, Split
from lensbench.datasets.importing.reading import checked, known_language, lines
from lensbench.errors import DataError
from lensbench.languages import language_of

__all__ = ["NTREX"]

_RELEASE = 1997
_NAME = re.compile(r"newstest2019-(src|ref)\.([A-Za-z-]+)\.txt")


def _recognise(original: Original) -> str | Skip | None:
    match = _NAME.fullmatch(original.path.name)
    if match is None:
        return None
    if language_of("ntrex", match[2]) is None:
        return Skip(f"language '{match[2]}' is not in the language table")
    return original.name


def _convert(originals: Sequence[Original], context: Context) -> Iterator[Split]:
    for original in originals:
        language = known_language("ntrex", _NAME.sub(r"\2", original.path.name))
        rows = []
        seen = 0
        for number, text in lines(original):
            seen = number
            with original.row(number):
                where = f"{original}, line {number}"
                if not text.strip():
                    raise DataError(f"{where}: empty, so this sentence is missing in the language")
                rows.append(checked({"id": str(number), "text": text}, "ntrex", where))
        yield Split("ntrex", language, "test", rows, (original,), "CC BY-SA 4.0", expected=_RELEASE, seen=seen, numbered=True)


NTREX = Format("ntrex", _recognise, _convert)
