"""The probing sample of the LENS authors: texts of the Aya Dataset, a key per language and no field names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lensbench.datasets.importing.model import Context, Format, Original, Split
from lensbench.datasets.importing.reading import checked, column, json_lines
from lensbench.errors import DataError
from lensbench.languages import languages

__all__ = ["LENS_PROBING"]

LICENCE = "Apache-2.0 (Aya Dataset); the sample itself states none"
_RELEASE = 300
JOINED = "prompt and answer are run together without a separator in `inputs`, so `targets` is empty"


def _recognise(original: Original) -> str | None:
    record = original.first_object
    known = all(key in languages() and isinstance(value, str) for key, value in record.items())
    return original.name if len(record) > 1 and known else None


def _convert(originals: Sequence[Original], context: Context) -> Iterator[Split]:
    for original in originals:
        codes = list(original.first_object)
        seen = 0
        texts: dict[str, list[str]] = {code: [] for code in codes}
        for number, record in json_lines(original):
            seen += 1
            with original.row(number):
                where = f"{original}, line {number}"
                surplus = [code for code in record if code not in texts]
                if surplus:
                    hint = f"Found there: {', '.join(codes)}."
                    raise DataError(f"{where}: column '{surplus[0]}' is not in the first line", hint)
                # A line is taken in all of its languages or in none.
                row = {code: column(record, code, str, where) for code in codes}
                for code, text in row.items():
                    if not text.strip():
                        raise DataError(f"{where}, column '{code}': empty text")
                    _storable(text, code, where)
                for code, text in row.items():
                    texts[code].append(text)
        for code in codes:
            language = languages()[code]
            fixed = {"targets": "", "language": language.name, "language_code": language.code_in("aya") or code}
            rows = [{"inputs": text} | fixed for text in texts[code]]
            repeated = len(rows) - len(set(texts[code]))
            notes = (JOINED, *((f"{repeated} of {len(rows)} texts repeat an earlier one; kept",) if repeated else ()))
            # The authors keep a sample of two languages beside that of seven; the one of more languages is taken.
            yield Split(
                "aya", language, "train", rows, (original,), LICENCE, notes=notes, expected=_RELEASE, seen=seen, rank=-len(codes)
            )


def _storable(text: str, code: str, where: str) -> None:
    try:
        checked({"inputs": text, "targets": ""}, "aya", where)
    except DataError as error:
        raise DataError(error.message.replace("column 'inputs'", f"column '{code}'"), error.hint) from None


LENS_PROBING = Format("lens_probing", _recognise, _convert)
