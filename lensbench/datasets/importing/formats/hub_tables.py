"""The hub's own files, unchanged: parquet of its conversion branch or its `data/` folder, CSV and JSON lines with its columns.

Whichever set of `tasks/rows/` has a file's columns is the one; nothing here names one set. Columns that the definition does not
have are not read, whatever their type.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator, Sequence

from lensbench.datasets.importing.formats.hub_paths import language_in_path, missing_shards, named_in_path, split_in_path
from lensbench.datasets.importing.model import Context, Format, Original, Skip, Split
from lensbench.datasets.importing.reading import Once, checked, csv_records, json_records
from lensbench.datasets.rows import Row, RowsSpec, load_rows_spec, rows_specs
from lensbench.errors import DataError
from lensbench.languages import Language, get_language, language_of

__all__ = ["HUB_TABLES"]

_ENDINGS = (".parquet", ".csv", ".jsonl", ".json")


def _recognise(original: Original) -> str | Skip | None:
    if not original.plain_name.endswith(_ENDINGS):
        return None
    specs = _fitting(_columns(original))
    if len(specs) > 1:
        specs = [spec for spec in specs if named_in_path(original.path, str(spec.hub))] or specs
    if not specs:
        return None
    if len(specs) > 1:
        if not original.plain_name.endswith(".parquet"):
            return None
        names = ", ".join(str(spec.hub) for spec in specs)
        return Skip(f"columns of several sets ({names}): name its folder as the hub names the set")
    spec = specs[0]
    split = _split(original, spec)
    if isinstance(split, Skip):
        return split
    language = None if spec.language_column else _language(original, spec)
    if not spec.language_column and language is None:
        return Skip(f"rows of {spec.rows}, but nothing in the path is a language code of {spec.hub} that the language table has")
    # A set that is known in one language keeps configs of another kind, such as KMMLU's subjects, which are pooled.
    folder = "" if spec.hub_languages == () else original.name.rpartition("/")[0]
    return "\t".join((spec.rows, split, language.code if language else "", folder))


def _convert(originals: Sequence[Original], context: Context) -> Iterator[Split]:
    verdict = _recognise(originals[0])
    rows, split, code, folder = str(verdict).split("\t")
    spec = load_rows_spec(rows)
    found: dict[str, list[Row]] = {}
    seen: Counter[str] = Counter()
    others: Counter[str] = Counter()
    once = {name: Once(name) for name, column in spec.columns.items() if column.unique}
    ordered = tuple(sorted(originals, key=lambda each: each.name))
    for original in ordered:
        with original.problems.whole(original.name):
            for number, record in _records(original, spec):
                with original.row(number):
                    where = f"{original}, row {number}"
                    language = get_language(code) if code else _row_language(record, spec, where)
                    if language is None:
                        others[str(record[str(spec.language_column)])] += 1
                        continue
                    seen[language.code] += 1
                    row = checked(_typed(record, spec), rows, where)
                    for name, values in once.items():
                        if row.get(name) is not None:
                            values.check(row[name], number, where)
                    found.setdefault(language.code, []).append(row)
    missing = missing_shards(each.path for each in ordered) if folder else None
    warnings = [missing] if missing else []
    if any("partial-" in part for part in ordered[0].path.parts[-2:]):
        warnings.append("the hub converted a part of the set only")
    for each in sorted(seen):
        yield Split(
            rows,
            get_language(each),
            split,
            found.get(each, []),
            ordered,
            spec.licence,
            expected=None if spec.language_column else spec.splits.get(split),
            seen=seen[each],
            warnings=tuple(warnings),
        )
    if others:
        context.note(
            f"{ordered[0].name}: {others.total()} rows left out, in {len(others)} codes the language table does not have"
        )


def _fitting(columns: Sequence[str]) -> list[RowsSpec]:
    """The hub's sets whose needed columns are all there; of several those that share the most."""
    found = [
        (sum(name in columns for name in spec.columns), spec)
        for spec in rows_specs().values()
        if spec.hub and all(name in columns for name, column in spec.columns.items() if not column.optional)
    ]
    most = max((shared for shared, _ in found), default=0)
    return [spec for shared, spec in found if shared == most]


def _columns(original: Original) -> Sequence[str]:
    if not original.plain_name.endswith(".parquet"):
        return list(original.first_element) or original.first_cells
    import pyarrow
    import pyarrow.parquet

    if not original.head.startswith(b"PAR1"):
        raise DataError(f"{original}: {original.strange or 'not a parquet file'}")
    try:
        return list(pyarrow.parquet.read_schema(original.path).names)
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise DataError(f"{original}: not a readable parquet file ({error})") from None


def _split(original: Original, spec: RowsSpec) -> str | Skip:
    named = split_in_path(original.path)
    ours = {spec.hub_splits.get(split, split): split for split in spec.splits}
    # Two names for one thing; a set has one of them.
    for name in (named, {"val": "validation", "validation": "val"}.get(str(named))):
        if name in ours:
            return ours[name]
    if named is None and len(ours) == 1:
        return next(iter(ours.values()))
    known = ", ".join(ours)
    return Skip(f"rows of {spec.rows}, split {named or 'unknown'}: the row definition has {known}")


def _language(original: Original, spec: RowsSpec) -> Language | None:
    if spec.hub_languages is not None and len(spec.hub_languages) == 1:
        return get_language(spec.hub_languages[0])
    return language_in_path(original.path, spec)


def _row_language(record: Row, spec: RowsSpec, where: str) -> Language | None:
    code = record.get(str(spec.language_column))
    if not isinstance(code, str):
        raise DataError(f"{where}, column '{spec.language_column}': expected a language code, found {code!r}")
    return language_of(spec.codes or spec.rows, code)


def _records(original: Original, spec: RowsSpec) -> Iterator[tuple[int, Row]]:
    """Numbered rows with the definition's columns, and null for none.

    Raises:
        DataError: the file cannot be read.
    """
    name = original.plain_name
    if name.endswith(".parquet"):
        yield from enumerate(_parquet(original, spec), start=1)
    elif name.endswith(".csv"):
        header: list[str] = []
        for line, cells in csv_records(original, len(original.first_cells)):
            if not header:
                header = cells
            else:
                yield line, _coded(dict(zip(header, cells, strict=True)), spec)
    else:
        yield from json_records(original)


def _parquet(original: Original, spec: RowsSpec) -> list[Row]:
    import pyarrow
    import pyarrow.parquet

    names = [name for name in (*spec.columns, spec.language_column) if name]
    try:
        file = pyarrow.parquet.ParquetFile(io.BytesIO(original.content), page_checksum_verification=True)
        there = [name for name in dict.fromkeys(names) if name in file.schema_arrow.names]
        return list(file.read(columns=there).to_pylist())
    except (pyarrow.ArrowException, OSError, ValueError, OverflowError) as error:
        raise DataError(f"{original}: not a readable parquet file ({error})") from None


def _coded(cells: dict[str, str], spec: RowsSpec) -> Row:
    """CSV cells, whole numbers where the definition wants them."""
    return {
        name: int(value) if column.type == "int" and value.isascii() and value.isdigit() and len(value) < 19 else value
        for name, column in spec.columns.items()
        if (value := cells.get(name)) is not None
    }


def _typed(record: Row, spec: RowsSpec) -> Row:
    """The definition's columns; an identifier that the hub keeps as a number is text where the definition says so."""
    row = {name: record[name] for name in spec.columns if record.get(name) is not None}
    for name, value in row.items():
        column = spec.columns[name]
        if column.unique and column.type == "str" and isinstance(value, int) and not isinstance(value, bool):
            row[name] = str(value)
    return row


HUB_TABLES = Format("hub_tables", _recognise, _convert)
