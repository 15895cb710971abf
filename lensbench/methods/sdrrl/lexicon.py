"""Code-switching: words replaced by their translation from the user's bilingual lexicon."""

from __future__ import annotations

import hashlib
import random
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lensbench.errors import DataError, UsageError
from lensbench.methods.sdrrl.user_files import filled_lines

__all__ = ["Lexicon", "code_switch", "read_lexicon", "words"]

_INSIDE = "'\u2019\u200c\u200d"
"""Apostrophes and joiners belong to a word when letters stand on both sides."""


@dataclass(frozen=True)
class Lexicon:
    """Word -> its translations, both ways; words of the key side are case-folded."""

    to_target: Mapping[str, tuple[str, ...]]
    to_central: Mapping[str, tuple[str, ...]]
    entries: int
    phrases: int
    """Sides of an entry that are more than one word: they can stand in for a word, but are never looked for."""
    sha256: str
    """SHA-256 of the file."""


def read_lexicon(path: Path) -> Lexicon:
    """A TSV with two columns: a word of the central language and one of the target language. Lines may repeat a word.

    Raises:
        UsageError: no such file.
        DataError: a line without exactly two filled columns, text that is not UTF-8, or no entry at all; names the line.
    """
    if not path.is_file():
        raise UsageError(f"lexicon: no file at {path}", "It is a TSV: word of the central language, word of the target language.")
    forward: dict[str, list[str]] = {}
    backward: dict[str, list[str]] = {}
    entries = phrases = 0
    content = path.read_bytes()
    for where, line in filled_lines(path, content):
        cells = [cell.strip() for cell in line.split("\t")]
        if len(cells) != 2 or not all(cells):
            raise DataError(
                f"{where}: a lexicon has two columns separated by a tab, found {len(cells)}: {line[:60]!r}",
                "Write one pair a line: word of the central language, tab, word of the target language.",
            )
        entries += 1
        for table, key, value in ((forward, cells[0], cells[1]), (backward, cells[1], cells[0])):
            if [key[a:b] for a, b in words(key)] == [key]:
                known = table.setdefault(_fold(key), [])
                known += [value] if value not in known else []
            else:
                phrases += 1
    if not entries:
        raise DataError(f"{path}: no entry in this lexicon")
    return Lexicon(_frozen(forward), _frozen(backward), entries, phrases, hashlib.sha256(content).hexdigest())


def code_switch(text: str, table: Mapping[str, Sequence[str]], probability: float, draw: random.Random) -> tuple[str, int, int]:
    """Replace whole words; whatever stands between them stays as it is.

    Whether a word is replaced does not depend on case, and one with a capital gets a translation with a capital. It needs a
    language that sets words apart: in others, a run of signs would have to be a word by itself.

    Args:
        table: Case-folded word -> translations, one of which is drawn.
        probability: Of each word that the table has.

    Returns:
        The text, the words the table has, and those replaced.
    """
    parts: list[str] = []
    position = covered = replaced = 0
    for first, last in words(text):
        word = text[first:last]
        choices = table.get(_fold(word))
        if not choices:
            continue
        covered += 1
        # Two draws a word, whatever comes of them: a higher probability then replaces a superset of the words.
        chosen, other = draw.random(), choices[draw.randrange(len(choices))]
        if chosen >= probability:
            continue
        replaced += 1
        parts += [text[position:first], other[:1].upper() + other[1:] if word[:1].isupper() else other]
        position = last
    return "".join([*parts, text[position:]]), covered, replaced


def words(text: str) -> Iterator[tuple[int, int]]:
    """Where words stand: `[first, last)` of runs of letters, digits and marks on them (Indic vowel signs are marks)."""
    first: int | None = None
    for index, sign in enumerate(text):
        inside = sign.isalnum() or (first is not None and (_is_mark(sign) or _joins(text, index)))
        if inside and first is None:
            first = index
        elif not inside and first is not None:
            yield first, index
            first = None
    if first is not None:
        yield first, len(text)


def _is_mark(sign: str) -> bool:
    return unicodedata.category(sign).startswith("M")


def _joins(text: str, index: int) -> bool:
    return text[index] in _INSIDE and index + 1 < len(text) and text[index + 1].isalnum()


def _fold(word: str) -> str:
    return unicodedata.normalize("NFC", word).casefold()


def _frozen(table: Mapping[str, list[str]]) -> dict[str, tuple[str, ...]]:
    return {key: tuple(values) for key, values in table.items()}
