"""Overlap of training texts and evaluated items, by shared word sequences in any language."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from lensbench.datasets.rows import strings_in
from lensbench.jsonio import JsonObject

__all__ = ["Overlap", "TrainingIndex", "find_overlap"]

WORDS, SIGNS = 8, 16
"""A sequence is so many words, or so many signs in scripts that set no words apart; a shorter text counts as a whole."""

_DENSE = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")


@dataclass(frozen=True)
class Overlap:
    """Items of one task in one language that share a sequence with the training texts of a method."""

    method: str
    task: str
    language: str
    items: int
    sharing: int
    """Items with at least one shared sequence."""
    examples: tuple[tuple[int, str], ...]
    """Row (0-based) and the beginning of the text, of the first few."""

    def as_dict(self) -> JsonObject:
        return asdict(self)


class TrainingIndex:
    """All sequences of a method's training texts."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._seen = {gram for text in texts for gram in _sequences(text)}

    def __len__(self) -> int:
        return len(self._seen)

    def shares(self, text: str) -> bool:
        """Whether a text has a sequence in common with the training texts."""
        return any(gram in self._seen for gram in _sequences(text))


def find_overlap(
    method: str, index: TrainingIndex, task: str, language: str, items: Iterable[tuple[int, Mapping[str, Any]]], most: int = 3
) -> Overlap:
    """Look for every item's texts in a method's training texts.

    Args:
        items: Row number and row; all its strings, and strings in its lists, are looked for one by one.
        most: Examples kept.
    """
    total, sharing = 0, 0
    examples: list[tuple[int, str]] = []
    for number, row in items:
        total += 1
        hit = next((text for text in strings_in(row) if index.shares(text)), None)
        if hit is not None:
            sharing += 1
            if len(examples) < most:
                examples.append((number, hit[:80]))
    return Overlap(method, task, language, total, sharing, tuple(examples))


def _sequences(text: str) -> Iterator[bytes]:
    """Hashes of a text's sequences; case, accents' forms, punctuation and spacing do not matter."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    units: list[str] = []
    for word in re.findall(r"\w+", folded):
        units += list(word) if _DENSE.search(word) else [word]
    dense = sum(len(unit) == 1 for unit in units) * 2 > len(units)
    size, fewest = (SIGNS, SIGNS // 2) if dense else (WORDS, WORDS // 2)
    if len(units) < fewest:
        # A name, a number or an option word: to share it means nothing.
        return
    for start in range(max(1, len(units) - size + 1)):
        yield hashlib.blake2b("\x1f".join(units[start : start + size]).encode("utf-8", "replace"), digest_size=8).digest()
