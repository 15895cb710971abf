"""Translations of the backbone's answers in a user's file, and the list of missing translations."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lensbench.cache import cache_dir
from lensbench.datasets.rows import row_hash
from lensbench.errors import DataError, UsageError
from lensbench.methods.sdrrl.text_cache import CachedText
from lensbench.methods.sdrrl.user_files import filled_lines
from lensbench.records import write_atomically

__all__ = ["Translated", "list_untranslated", "read_translations"]

_COLUMNS = ("source", "translation")


@dataclass(frozen=True)
class Translated:
    """One file."""

    path: Path
    sha256: str
    table: Mapping[str, str]
    """Source text -> translation, both without white space at their ends."""

    def find(self, text: str) -> CachedText:
        found = self.table.get(text.strip())
        return CachedText("", "missing") if found is None else CachedText(found, "ok" if found else "empty")


def read_translations(path: Path) -> Translated:
    r"""A TSV with two columns (`\n`, `\t` and `\\` stand for line break, tab and backslash), or JSONL of source and translation.

    A `.jsonl` line is `{"source": ..., "translation": ...}`. A source that comes twice must have one translation.

    Raises:
        UsageError: no such file.
        DataError: a line that is not such a pair; names it.
    """
    if not path.is_file():
        raise UsageError(f"translations: no file at {path}", "It is a TSV or JSONL: source text, translation.")
    content = path.read_bytes()
    table: dict[str, str] = {}
    read = _json_pair if path.suffix == ".jsonl" else _tsv_pair
    for where, line in filled_lines(path, content):
        source, translation = (part.strip() for part in read(line, where))
        if table.setdefault(source, translation) != translation:
            raise DataError(f"{where}: a second, different translation of {source[:60]!r}")
    if not table:
        raise DataError(f"{path}: no translation in it")
    return Translated(path, hashlib.sha256(content).hexdigest(), table)


def list_untranslated(texts: Sequence[str], code: str) -> Path:
    """Write the sources of missing translations as JSONL with empty translations, to be filled in.

    Raises:
        RunError: the file cannot be written.
    """
    path = cache_dir() / "sdrrl" / "to-translate" / f"{code}-{row_hash(list(texts))}.jsonl"
    lines = [json.dumps({"source": text, "translation": ""}, ensure_ascii=False) for text in texts]
    write_atomically(path, "\n".join(lines) + "\n")
    return path


def _json_pair(line: str, where: str) -> tuple[str, str]:
    try:
        row = json.loads(line)
        source, translation = (row[name] for name in _COLUMNS)
        if not isinstance(source, str) or not isinstance(translation, str):
            raise TypeError("both must be text")
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{where}: expected an object with the texts {' and '.join(_COLUMNS)} ({error})") from None
    return source, translation


def _tsv_pair(line: str, where: str) -> tuple[str, str]:
    cells = line.split("\t")
    if len(cells) != 2:
        raise DataError(
            f"{where}: two columns separated by a tab were expected, found {len(cells)}: {line[:60]!r}",
            "Write a line break inside a text as \\n and a tab as \\t, or use a .jsonl file.",
        )
    return _unescaped(cells[0]), _unescaped(cells[1])


def _unescaped(text: str) -> str:
    signs = {"n": "\n", "t": "\t", "\\": "\\"}
    parts, rest = [], iter(text)
    for sign in rest:
        if sign != "\\":
            parts.append(sign)
            continue
        following = next(rest, "")
        parts.append(signs.get(following, sign + following))
    return "".join(parts)
