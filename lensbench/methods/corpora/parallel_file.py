"""Parallel texts in a user's file: a table with a column per language, or a text file per language, line by line."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lensbench.datasets.sources import Origin, read_jsonl
from lensbench.errors import DataError, UsageError
from lensbench.jsonio import read_bounded
from lensbench.languages import languages

__all__ = ["find_file", "read_pairs_file"]

_PLACE = "{language}"

Triple = tuple[str, str, str]
"""Id, text in the target language, text in the central one; a text may be blank."""


def find_file(name: str, target: str) -> Path:
    """The file of a target language.

    Args:
        name: A path, in which `{language}` stands for the language's code.

    Raises:
        UsageError: no such file, or an ending that is not known.
    """
    path = Path(name.replace(_PLACE, target)).expanduser()
    if path.suffix not in (".tsv", ".jsonl") and _PLACE not in name:
        raise UsageError(
            f"{name} is neither .tsv nor .jsonl", f"Plain text needs one file per language: write {_PLACE} in the path."
        )
    if not path.is_file():
        raise UsageError(f"no file of parallel texts at {path}")
    return path


def read_pairs_file(name: str, central: str, target: str) -> tuple[list[Triple], Origin]:
    """All pairs of a file, in its order.

    - `.jsonl`: one object a line with a key per language code, and `id` where it has one.
    - `.tsv`: a header with the codes, and `id` where it has one; or no header, two columns, and the codes in the file's name, as
      in `news-commentary-v16.en-zh.tsv`. Quotes are ordinary characters.
    - anything else with `{language}` in the path: plain text, one text a line, the central language's file beside the target's.

    Without ids a line's number is its id.

    Raises:
        UsageError: no such file, or columns that cannot be told.
        DataError: a line with too few columns, a repeated id, files of unlike length, not UTF-8.
    """
    path = find_file(name, target)
    read = [path]
    if path.suffix == ".jsonl":
        triples = list(_from_jsonl(path, central, target))
    elif path.suffix == ".tsv":
        triples = list(_from_tsv(path, central, target))
    else:
        other = find_file(name, central)
        read.append(other)
        ours, theirs = _lines(path), _lines(other)
        if len(ours) != len(theirs):
            raise DataError(
                f"{path} has {len(ours)} lines, {other} has {len(theirs)}: so their lines are not pairs",
                "Both files must have the same number of lines; an empty line keeps the place of a missing text.",
            )
        triples = [(str(number), *pair) for number, pair in enumerate(zip(ours, theirs, strict=True), start=1)]
    if not triples:
        raise DataError(f"{path}: no pairs")
    seen: dict[str, int] = {}
    for number, (key, _, _) in enumerate(triples, start=1):
        if key in seen:
            raise DataError(f"{path}, rows {seen[key]} and {number}: both have the id {key!r}")
        seen[key] = number
    digest = hashlib.sha256(b"".join(hashlib.sha256(read_bounded(p)).digest() for p in read)).hexdigest()
    return triples, Origin("local", str(path), None, digest, len(triples), None)


def _from_jsonl(path: Path, central: str, target: str) -> Iterator[Triple]:
    for number, row in enumerate(read_jsonl(path), start=1):
        _check_columns(row, f"{path}, line {number}", central, target)
        for code in (central, target):
            if not isinstance(row[code], str):
                raise DataError(f"{path}, line {number}, '{code}': expected text, found {type(row[code]).__name__}")
        yield str(row.get("id", number)), row[target].strip(), row[central].strip()


def _from_tsv(path: Path, central: str, target: str) -> Iterator[Triple]:
    rows = (line.split("\t") for line in _lines(path))
    first = next(rows, [])
    header = [cell.strip() for cell in first]
    offset = 2
    waiting: list[list[str]] = []
    if not {central, target} & set(header):
        header, offset, waiting = _columns_by_name(path, len(first), central, target), 1, [first]
    _check_columns(dict.fromkeys(header), str(path), central, target)
    ours, theirs = header.index(target), header.index(central)
    key = header.index("id") if "id" in header else None
    for number, row in enumerate((row for part in (waiting, rows) for row in part), start=offset):
        if row == [""]:
            continue
        if len(row) <= max(ours, theirs, key or 0):
            raise DataError(f"{path}, line {number}: expected {len(header)} columns, found {len(row)}")
        yield row[key] if key is not None else str(number), row[ours].strip(), row[theirs].strip()


def _columns_by_name(path: Path, columns: int, central: str, target: str) -> list[str]:
    named = re.search(r"(?<![a-z])([a-z]{2,3})[-_]([a-z]{2,3})(?![a-z])", path.stem)
    codes = list(named.groups()) if named else []
    if columns != 2 or not codes or not set(codes) <= set(languages()):
        raise UsageError(
            f"{path}: the languages of the columns are unknown",
            f"Give it a first line with the codes, as in {central}<TAB>{target}; or two columns and the codes in its name, as in "
            f"pairs.{central}-{target}.tsv.",
        )
    return codes


def _check_columns(row: Mapping[str, Any], where: str, central: str, target: str) -> None:
    missing = [code for code in (central, target) if code not in row]
    if missing:
        raise DataError(f"{where}: nothing in {' and '.join(map(repr, missing))} (it has {', '.join(map(repr, row))})")


def _lines(path: Path) -> list[str]:
    try:
        # Only line feeds end a line: texts hold other characters that str.splitlines would cut at.
        text = read_bounded(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 at byte {error.start}") from None
    return [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")] if text else []
