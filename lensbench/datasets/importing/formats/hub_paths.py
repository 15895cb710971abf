"""Information in the path of a hub's data file: its split, its config, and whether shards are missing."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from lensbench.datasets.rows import RowsSpec
from lensbench.languages import Language, languages

__all__ = ["language_in_path", "missing_shards", "named_in_path", "split_in_path"]

_SPLIT = re.compile(r"(?:^|[-_.])(train|test|validation|valid|val|dev|eval)(?=$|[-_.])")
_SHARD = re.compile(r"(?:^|[-_.])(\d{4,5})(?:-of-(\d{4,5}))?$")
_NAMES = {"valid": "validation"}
_DEPTH = 3
"""Folders above the file that can say split and config: `CONFIG/SPLIT/0000.parquet`, `data/CONFIG/SPLIT.jsonl`."""


def _parts(path: Path) -> list[str]:
    """The name without endings, then the folders above it, nearest first."""
    stem = re.sub(r"\.(parquet|jsonl|json|csv|gz)\b", "", path.name)
    return [stem, *reversed(path.absolute().parts[:-1])][: _DEPTH + 1]


def split_in_path(path: Path) -> str | None:
    """The split as the hub names it: of `data/train-00000-of-00002.parquet`, `zh/test/0000.parquet`, `Accounting-test.csv`,
    `zh/partial-train/0000.parquet`; None where nothing says one."""
    for part in _parts(path):
        found = _SPLIT.search(part)
        if found:
            return _NAMES.get(found[1], found[1])
    return None


def language_in_path(path: Path, spec: RowsSpec) -> Language | None:
    """The language by the data set's own code: a folder of that name, or a part of the file's name."""
    known: dict[str, Language] = {}
    for language in languages().values():
        codes = language.codes.get(spec.codes or spec.rows, ())
        known |= {_plain(code): language for code in ((codes,) if isinstance(codes, str) else codes)}
    stem, *folders = _parts(path)
    words = re.split(r"_", _plain(_SPLIT.sub("", _SHARD.sub("", stem))))
    runs = ["_".join(words[a:b]) for a in range(len(words)) for b in range(len(words), a, -1)]
    # The longest run first, so that `pt_br` is not taken for `pt`.
    for name in (*sorted(runs, key=len, reverse=True), *map(_plain, folders)):
        if name in known:
            return known[name]
    # Of a set in one language no path says which.
    only = list(known.values())
    return only[0] if len(only) == 1 else None


def named_in_path(path: Path, hub: str) -> bool:
    """Whether a folder above bears the data set's name, as a clone or the hub's cache does."""
    name = hub.rpartition("/")[2].lower()
    return any(name in part.lower() for part in path.absolute().parts[:-1])


def missing_shards(paths: Iterable[Path]) -> str | None:
    """In words, which parts of a split are not here; None where all are, or names do not number them."""
    found: dict[int, int] = {}
    for path in paths:
        shard = _SHARD.search(path.name.removesuffix(".parquet"))
        if shard:
            found[int(shard[1])] = int(shard[2]) if shard[2] else 0
    if not found:
        return None
    total = max(max(found.values()), max(found) + 1)
    missing = [number for number in range(total) if number not in found]
    return f"{len(missing)} of {total} parts are not here: {', '.join(map(str, missing[:10]))}" if missing else None


def _plain(text: str) -> str:
    return text.lower().replace("-", "_").replace(".", "_")
