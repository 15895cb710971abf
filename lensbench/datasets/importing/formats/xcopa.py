"""XCOPA's JSON lines: `data/<code>/{val,test}.<code>.jsonl`. The fields are the hub's own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from lensbench.datasets.importing.formats.copa import COPA, TEST, part_of, read_copa
from lensbench.datasets.importing.model import Context, Format, Original, Skip, Split
from lensbench.datasets.importing.reading import Once, checked, json_lines, known_language, named_columns
from lensbench.datasets.rows import Row
from lensbench.errors import DataError
from lensbench.languages import language_of

__all__ = ["XCOPA"]

_NAME = re.compile(r"(val|test)\.([a-z]{2})\.jsonl")
_SPLIT = {"val": "validation", "test": "test"}
_RELEASE = {"val": 100, "test": 500}
_COLUMNS = ("premise", "choice1", "choice2", "question", "label", "idx", "changed")


def _recognise(original: Original) -> str | Skip | None:
    match = _NAME.fullmatch(original.path.name)
    if match is None:
        return None
    if "data-gmt" in original.path.absolute().parts:
        return Skip("XCOPA machine-translated into English (the hub's translation-xx configs), not XCOPA itself")
    if language_of("xcopa", match[2]) is None:
        return Skip(f"language '{match[2]}' is not in the language table")
    return original.name


def _convert(originals: Sequence[Original], context: Context) -> Iterator[Split]:
    for original in originals:
        part, code, _ = original.path.name.split(".")
        rows: list[Row] = []
        once = Once("idx")
        seen = 0
        for number, record in json_lines(original):
            seen += 1
            with original.row(number):
                where = f"{original}, line {number}"
                named_columns(list(record), _COLUMNS[:-1], where)
                row = checked({name: record[name] for name in _COLUMNS if name in record}, "xcopa", where)
                once.check_row(row["idx"], row, number, where)
                rows.append(row)
        notes = _compared(rows, original, context) if part == "test" else ()
        yield Split(
            "xcopa",
            known_language("xcopa", code),
            _SPLIT[part],
            rows,
            (original,),
            "CC BY 4.0",
            notes=notes,
            expected=_RELEASE[part],
            seen=seen,
        )


def _compared(rows: list[Row], original: Original, context: Context) -> tuple[str, ...]:
    """How often `question` and `label` differ from the English item that each row translates. No row is changed.

    The English file is the one to trust: in Thai every row of the release says "effect". It matters because
    prompts word the question from this field.
    """
    english = [copa for copa in context.originals.get(COPA.name, ()) if part_of(copa) == TEST]
    if not english:
        return ("question not compared with English COPA: copa-test.xml is not in this import",)
    try:
        items = {item["idx"]: item for item in read_copa(english[0])}
    except DataError:
        return (f"question not compared with English COPA: {english[0].name} has a problem of its own",)
    known = [row for row in rows if row["idx"] in items]
    notes = []
    for column in ("question", "label"):
        differ = sum(row[column] != items[row["idx"]][column] for row in known)
        if differ or column == "question":
            notes.append(f"{column} differs from English COPA in {differ} of {len(known)} rows")
    if len(known) < len(rows):
        notes.append(f"{len(rows) - len(known)} rows have an idx that no item of {english[0].name} has; not compared")
    return tuple(notes)


XCOPA = Format("xcopa", _recognise, _convert)
