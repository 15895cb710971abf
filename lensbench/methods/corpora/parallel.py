"""Texts with the same meaning in two languages, matched by id: prompts of Bactrian-X, sentences of NTREX, or a user's file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lensbench.datasets.rows import load_rows_spec
from lensbench.datasets.sources import DataSource, Origin
from lensbench.errors import UnavailableError, unknown_name
from lensbench.languages import get_language
from lensbench.methods.corpora.parallel_file import find_file, read_pairs_file

__all__ = ["Pair", "check_pairs", "load_parallel", "prompt_of"]

_SPLITS = {"bactrian_x": "train", "ntrex": "test"}


@dataclass(frozen=True)
class Pair:
    """One text in two languages."""

    id: str
    source: str
    """Text in the target language, which is the language of prompts."""
    target: str
    """Text in the central language."""


def check_pairs(pairs: str, targets: Sequence[str]) -> None:
    """Whether a configuration's `pairs` names something, before anything is loaded.

    Args:
        pairs: `bactrian_x`, `ntrex`, or a path (see `parallel_file`).

    Raises:
        UsageError: neither a name nor a file.
    """
    if pairs in _SPLITS:
        return
    if not _is_path(pairs):
        raise unknown_name("pairs", pairs, [*_SPLITS, "a path to a .tsv or .jsonl file"])
    for code in targets:
        find_file(pairs, code)


def load_parallel(
    source: DataSource,
    pairs: str,
    languages: Sequence[str],
    revisions: Mapping[str, str] | None = None,
    *,
    split: str | None = None,
) -> tuple[dict[str, list[Pair]], dict[str, Origin]]:
    """Pairs of every target language with the central one that have text on both sides, and where each side came from.

    Args:
        languages: Codes, the central language first.
        revisions: Hub commit by row definition, when a run goes on.
        split: Of the rows, where it is not the usual one.

    Returns:
        Pairs by target language in the central side's order; origins by `<rows>/<language>`.

    Raises:
        UnavailableError: the source has no such rows in a language; names it.
        UsageError, DataError: see `parallel_file`.
    """
    central, *targets = languages
    origins: dict[str, Origin] = {}
    found: dict[str, list[Pair]] = {}
    if _is_path(pairs):
        for code in targets:
            triples, origin = read_pairs_file(pairs, central, code)
            origins[f"{Path(pairs).name}/{code}"] = origin
            found[code] = [Pair(*triple) for triple in triples if triple[1] and triple[2]]
        return found, origins
    sides: dict[str, dict[str, str]] = {}
    for code in languages:
        language = get_language(code)
        try:
            rows = source.load(load_rows_spec(pairs), language, split or _SPLITS[pairs], (revisions or {}).get(pairs))
        except UnavailableError as error:
            needed = f"parallel texts are needed in {language.name} ('{code}')"
            raise UnavailableError(f"{needed}: {error.message}", error.hint) from None
        origins[f"{pairs}/{code}"] = rows.origin
        sides[code] = {str(row["id"]): _text(row, pairs) for row in rows.rows}
    for code in targets:
        found[code] = [Pair(i, sides[code][i], text) for i, text in sides[central].items() if text and sides[code].get(i)]
    return found, origins


def prompt_of(row: Mapping[str, Any]) -> str:
    """A Bactrian-X prompt: instruction, and the input on its own line when there is one; both stripped (docs/lens.md)."""
    return "\n".join(part for part in (str(row.get(name) or "").strip() for name in ("instruction", "input")) if part)


def _text(row: Mapping[str, Any], rows: str) -> str:
    return str(row["text"]).strip() if rows == "ntrex" else prompt_of(row)


def _is_path(pairs: str) -> bool:
    return "/" in pairs or "." in pairs
