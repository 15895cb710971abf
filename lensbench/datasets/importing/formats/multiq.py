"""MultiQ: one CSV of the same questions in many languages; the languages of the table are taken."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from lensbench.datasets.importing.model import Context, Format, Original, Split
from lensbench.datasets.importing.reading import Once, checked, csv_records, named_columns
from lensbench.languages import Language, language_of

__all__ = ["MULTIQ"]

_COLUMNS = ("id", "language", "prompt", "domain")
_RELEASE = 200
"""Prompts of every language."""


def _recognise(original: Original) -> str | None:
    named = original.path.name == "MultiQ.csv" or original.first_cells == _COLUMNS
    return original.name if named else None


def _convert(originals: Sequence[Original], context: Context) -> Iterator[Split]:
    for original in originals:
        header = list(original.first_cells)
        named_columns(header, _COLUMNS, f"{original}, line 1")
        rows: dict[str, list[dict[str, str]]] = {}
        taken: dict[str, Language] = {}
        others: Counter[str] = Counter()
        seen: Counter[str] = Counter()
        once = Once("id")
        for line, cells in csv_records(original, len(header)):
            if line == 1:
                continue
            with original.row(line):
                where = f"{original}, line {line}"
                record = dict(zip(header, cells, strict=True))
                language = language_of("multiq", record["language"])
                if language is None:
                    others[record["language"]] += 1
                    continue
                taken[language.code] = language
                seen[language.code] += 1
                row = checked({name: record[name] for name in _COLUMNS}, "multiq", where)
                once.check_row(record["id"], row, line, where)
                rows.setdefault(language.code, []).append(row)
        for code in sorted(taken):
            kept = rows.get(code, [])
            yield Split("multiq", taken[code], "train", kept, (original,), "CC BY 4.0", expected=_RELEASE, seen=seen[code])
        if others:
            left_out = f"{others.total()} rows left out, in {len(others)} codes the language table does not have"
            context.note(f"{original.name}: {left_out}; of MultiQ's two codes for one language (zh and zh-CN) one is taken")


MULTIQ = Format("multiq", _recognise, _convert)
