"""Bactrian-X in files named by language, with the hub's own fields: the hub's `data/zh.json.gz`, or `zh.jsonl`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lensbench.datasets.importing.model import Context, Format, Original, Skip, Split
from lensbench.datasets.importing.reading import Once, checked, column, json_records, known_language
from lensbench.languages import language_of

__all__ = ["BACTRIAN"]

_RELEASE = 67_017
"""52,002 prompts of Alpaca and 15,015 of Dolly in every language."""
_COLUMNS = ("instruction", "input", "id", "output")


def _recognise(original: Original) -> str | Skip | None:
    if not all(name in original.first_element for name in _COLUMNS):
        return None
    if language_of("bactrian_x", _code(original)) is None:
        return Skip(f"Bactrian-X rows, but the language table has no Bactrian-X code '{_code(original)}'")
    return original.name


def _code(original: Original) -> str:
    """`zh` of `zh.jsonl`, `zh.json` and the hub's `data/zh.json.gz`."""
    return original.plain_name.partition(".")[0]


def _convert(originals: Sequence[Original], context: Context) -> Iterator[Split]:
    for original in originals:
        language = known_language("bactrian_x", _code(original))
        rows = []
        once = Once("id")
        seen = 0
        for number, record in json_records(original):
            seen += 1
            with original.row(number):
                where = f"{original}, line {number}"
                row = checked({name: column(record, name, str, where) for name in _COLUMNS}, "bactrian_x", where)
                once.check_row(row["id"], row, number, where)
                rows.append(row)
        yield Split("bactrian_x", language, "train", rows, (original,), "CC BY-NC 4.0", expected=_RELEASE, seen=seen)


BACTRIAN = Format("bactrian_x", _recognise, _convert)
