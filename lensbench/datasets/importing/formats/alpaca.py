"""Alpaca-GPT4 demonstration files `alpaca_<code>_demo.json`: the shape of Bactrian-X, but not parallel."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from lensbench.datasets.importing.model import Context, Format, Original, Skip, Split
from lensbench.datasets.importing.reading import as_object, checked, column, json_document
from lensbench.errors import DataError
from lensbench.languages import languages

__all__ = ["ALPACA_DEMO"]

STAND_IN = "Alpaca-GPT4 demonstration rows, not Bactrian-X and not parallel across languages"
NOTE = "the languages' rows are not translations of each other, so their ids are different on purpose"
_RELEASE = {"en": 999, "zh": 1000}
_NAME = re.compile(r"alpaca_([a-z]{2})_demo\.json")


def _recognise(original: Original) -> str | Skip | None:
    match = _NAME.fullmatch(original.path.name)
    if match is None:
        return None
    return original.name if match[1] in languages() else Skip(f"language '{match[1]}' is not in the language table")


def _convert(originals: Sequence[Original], context: Context) -> Iterator[Split]:
    for original in originals:
        code = _NAME.sub(r"\1", original.path.name)
        records = json_document(original)
        if not isinstance(records, list):
            raise DataError(f"{original}: expected a list of records, found {type(records).__name__}")
        rows = []
        for number, record in enumerate(records, start=1):
            with original.row(number):
                where = f"{original}, record {number}"
                record = as_object(record, where)
                row = {name: column(record, name, str, where) for name in ("instruction", "input", "output")}
                rows.append(checked(row | {"id": f"alpaca-{code}-{number}"}, "bactrian_x", where))
        yield Split(
            "bactrian_x",
            languages()[code],
            "alpaca_demo",
            rows,
            (original,),
            "CC BY-NC 4.0",
            STAND_IN,
            (NOTE,),
            expected=_RELEASE.get(code),
            seen=len(records),
            numbered=True,
        )


ALPACA_DEMO = Format("alpaca_demo", _recognise, _convert)
