"""Checks on the rows of a whole file: known lengths, a file with its content twice, languages that are not aligned."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lensbench.datasets.importing.model import Split
from lensbench.datasets.rows import load_rows_spec

__all__ = ["ASK", "out_of_step", "repeated_from", "source_items", "warnings_of"]

ASK = "Say which to take: ``prefer`` with its path or a pattern such as '*/original/*', relative to the folder that is imported."
_BY_LINE = (".tsv", ".txt", ".csv")
"""Kinds whose last row can lose its end and still look whole."""


def warnings_of(split: Split) -> Iterator[str]:
    """Warnings that a user should check before using the rows."""
    yield from split.warnings
    seen = len(split.records) if split.seen is None else split.seen
    if split.expected is not None and seen < split.expected:
        yield f"{seen} rows, the whole release has {split.expected}: a part of it, or a file was cut"
    elif split.expected is not None and seen > split.expected:
        yield f"{seen} rows, the release has {split.expected}: rows may stand in it twice"
    again = _repeated_ids(split)
    if again:
        yield f"{again} rows have an id that an earlier row of another text has"
    for original in split.originals:
        if original.plain_name.endswith(_BY_LINE) and not original.content.endswith((b"\n", b"\r")):
            yield f"{original.name}: its last line has no end, the file may have been cut there"


def _repeated_ids(split: Split) -> int:
    spec = load_rows_spec(split.rows)
    name = spec.source_item.column if spec.source_item else "id"
    values = [row[name] for row in split.records if row.get(name) is not None]
    return len(values) - len(set(values))


def repeated_from(records: Sequence[Mapping[str, Any]], *, numbered: bool = False) -> int | None:
    """Index from which the rows repeat the beginning of the file, at least two in a row; None where they do not.

    Args:
        numbered: The column `id` counts the rows and is not compared.
    """
    rows = [{name: value for name, value in row.items() if name != "id"} for row in records] if numbered else list(records)
    for start in range(1, len(rows)):
        length = min(start, len(rows) - start)
        if length > 1 and all(rows[start + n] == rows[n] for n in range(length)):
            return start
    return None


def source_items(split: Split) -> frozenset[Any] | None:
    """Values of the column that says which item of the original data a row is a version of; None where rows do not say."""
    spec = load_rows_spec(split.rows)
    if spec.source_item is None or spec.source_prefix(split.split, split.stand_in) is None:
        return None
    return frozenset(row.get(spec.source_item.column) for row in split.records)


def out_of_step(items: Mapping[str, frozenset[Any]]) -> str | None:
    """In words, which languages of one split have not all the items that the others have.

    Args:
        items: Language -> its items.
    """
    everything = frozenset().union(*items.values())
    short = {code: len(found) for code, found in items.items() if found != everything}
    if not short:
        return None
    listed = ", ".join(f"{code} {n}" for code, n in sorted(short.items()))
    return f"languages differ in their items: of {len(everything)} that some language has, {listed}"
