"""Share of a text that repeats what the text said before, in any language, and whether it makes the text degenerate.

The measure is the share of characters in duplicate 5-grams, one of the repetition filters of the Gopher corpus (Rae et al. 2021,
arXiv 2112.11446, table A1). Here the words of a script without spaces are counted by their characters.
"""

from __future__ import annotations

import re

from lensbench.grading.fidelity.code import strip_code
from lensbench.reasoning import split_reasoning

__all__ = ["REPETITIVE", "is_degenerate", "repetition_share"]

REPETITIVE = 0.5
"""Share above which a text is degenerate: more than half of it was there before. In every kind and language of ordinary texts
that bench/identifiers.py measures, at least 99.5% of the texts stay below it (docs/fidelity.md)."""

_WORDS = 5
"""Words of one sequence."""
_SHORT, _LONG = 2, 4
"""Characters that count as a word: of Han and kana, and of scripts of letters that set no spaces between words."""
_LONGEST_WORD = 40
"""A longer word ("aaaa...") is read by its characters."""
_HAN_OR_KANA = r"\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_UNSPACED = r"\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff"
_DENSE = re.compile(f"[{_HAN_OR_KANA}{_UNSPACED}]")
_LONG_SIGN = re.compile(f"[{_UNSPACED}]")


def repetition_share(text: str) -> float:
    """Share of a text's characters that lie in a sequence of five words which the text had before.

    Code and reasoning are left out. Two characters of Han or kana count as a word, and four of Thai, Lao, Tibetan, Burmese or
    Khmer. A text of at most five words has no share. Linear in the length of the text.

    Returns:
        From 0 to 1.

    Examples:
        >>> repetition_share("The cat sat on the mat and looked at the dog.")
        0.0
        >>> round(repetition_share("I do not know the answer. " * 4), 2)
        0.75
    """
    units = _units(strip_code(split_reasoning(text).answer))
    size = _size(units)
    if len(units) <= size:
        return 0.0
    ends = [0]
    for unit in units:
        ends.append(ends[-1] + len(unit) + 1)
    line = "\n".join(units)
    seen: set[str] = set()
    covered, repeated = 0, 0
    for start in range(len(units) - size + 1):
        stop = start + size
        sequence = line[ends[start] : ends[stop] - 1]
        if sequence not in seen:
            seen.add(sequence)
            continue
        for place in range(max(start, covered), stop):
            repeated += len(units[place])
        covered = stop
    return repeated / sum(map(len, units))


def is_degenerate(text: str) -> bool:
    """Whether more than half of an answer repeats what it said before, so that no other number says much of it."""
    return repetition_share(text) > REPETITIVE


def _units(text: str) -> list[str]:
    """The words of a text; of scripts without spaces, its characters."""
    units: list[str] = []
    for word in text.casefold().split():
        units += list(word) if len(word) > _LONGEST_WORD or _DENSE.search(word) else [word]
    return units


def _size(units: list[str]) -> int:
    """Units of one sequence: five words, or the characters that stand for five."""
    signs = sum(len(unit) == 1 for unit in units)
    if 2 * signs <= len(units):
        return _WORDS
    long = sum(_LONG_SIGN.match(unit) is not None for unit in units)
    return _WORDS * (_LONG if 2 * long > signs else _SHORT)
