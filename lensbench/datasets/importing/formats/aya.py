"""Rows of the Aya Dataset as JSON lines: `inputs`, `targets`, `language_code`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from lensbench.datasets.importing.model import Context, Format, Original, Split
from lensbench.datasets.importing.reading import checked, column, json_lines
from lensbench.datasets.rows import Row
from lensbench.errors import DataError
from lensbench.languages import Language, language_of

__all__ = ["AYA"]

_COLUMNS = ("inputs", "targets", "language_code")


def _recognise(original: Original) -> str | None:
    return original.name if all(name in original.first_object for name in _COLUMNS) else None


def _convert(originals: Sequence[Original], context: Context) -> Iterator[Split]:
    for original in originals:
        rows: dict[str, list[Row]] = {}
        taken: dict[str, Language] = {}
        others: Counter[str] = Counter()
        for number, record in json_lines(original):
            with original.row(number):
                where = f"{original}, line {number}"
                row: Row = {name: column(record, name, str, where) for name in _COLUMNS}
                if not row["inputs"].strip():
                    raise DataError(f"{where}, column 'inputs': empty text")
                language = language_of("aya", row["language_code"])
                if language is None:
                    others[row["language_code"]] += 1
                    continue
                taken[language.code] = language
                row["language"] = column(record, "language", str, where) if "language" in record else language.name
                rows.setdefault(language.code, []).append(checked(row, "aya", where))
        for code in sorted(taken):
            kept = rows.get(code, [])
            repeated = len(kept) - len({row["inputs"] for row in kept})
            notes = (f"{repeated} of {len(kept)} inputs repeat an earlier one; kept",) if repeated else ()
            yield Split("aya", taken[code], "train", kept, (original,), "Apache-2.0", notes=notes)
        if others:
            left_out = f"{others.total()} rows left out, in {len(others)} codes the language table does not have"
            context.note(f"{original.name}: {left_out}")


AYA = Format("aya", _recognise, _convert)
