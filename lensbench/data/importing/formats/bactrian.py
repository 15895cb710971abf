"""Bactrian-X as JSON lines in files named by language: `zh.jsonl` with the hub's own fields."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lensbench.data.importing.model import Context, Format, Original, Skip, Split
from lensbench.data.importing.reading import column, json_lines, known_language
from lensbench.errors import DataError
from lensbench.languages import language_of

__all__ = ["BACTRIAN"]

_COLUMNS = ("instruction", "input", "id", "output")


def _recognise(original: Original) -> str | Skip | None:
    if not all(name in original.first_object for name in _COLUMNS):
        return None
    if language_of("bactrian_x", original.path.stem) is None:
        return Skip(f"Bactrian-X rows, but the language table has no Bactrian-X code '{original.path.stem}'")
    return original.name


def _convert(originals: Sequence[Original], context: Context) -> Iterator[Split]:
    for original in originals:
        language = known_language("bactrian_x", original.path.stem)
        rows = []
        for number, record in json_lines(original):
            where = f"{original}, line {number}"
            row = {name: column(record, name, str, where) for name in _COLUMNS}
            if not row["instruction"].strip():
                raise DataError(f"{where}, column 'instruction': empty text")
            rows.append(row)
        yield Split("bactrian_x", language, "train", rows, (original,), "CC BY-NC 4.0")


BACTRIAN = Format("bactrian_x", _recognise, _convert)
