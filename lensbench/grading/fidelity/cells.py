"""The cell of an answer: a language of the table, another label, or one of five states without a language."""

from __future__ import annotations

import itertools
import unicodedata

from lensbench.grading.fidelity.code import mark_fenced
from lensbench.grading.fidelity.floor import UNSURE
from lensbench.grading.fidelity.identifier import Identifier
from lensbench.reasoning import split_reasoning

__all__ = ["CODE", "EMPTY", "NO_ANSWER", "SPECIAL", "TOO_SHORT", "UNKNOWN", "answered_cell", "line_cells"]

EMPTY = "empty"
TOO_SHORT = "too_short"
CODE = "code"
UNKNOWN = "unknown"
NO_ANSWER = "no_answer"
"""The model was not asked, was not heard, or had not ended its reasoning; not given by `answered_cell`, which sees texts only."""
SPECIAL = (EMPTY, TOO_SHORT, CODE, UNKNOWN, NO_ANSWER)
"""The cells that are no language, in the order of tables."""

_FEWEST_LETTERS = 3
_FEWEST_DENSE = 2
# Scripts whose letters stand for syllables or words, or whose words are not set apart. Hangul has spaces, but a letter of its
# is a whole syllable: 서울 (Seoul) has two.
_DENSE = ("CJK", "HIRAGANA", "KATAKANA", "HALFWIDTH KATAKANA", "HANGUL", "THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN")


def answered_cell(text: str, identifier: Identifier) -> str:
    """The cell of an answer.

    Returns:
        The canonical code of the language that the answer's label counts as leniently; the label itself where the table has no
        such language; `empty` (white space only); `code` (every line that is not blank lies in a fenced block); `too_short`
        (fewer than 3 letters, or 2 where one of them is of a script such as Han, kana, Hangul or Thai); `unknown` (no label, one
        below the identifier's floor, or GlotLID's `und_*`, `zxx_*`).
    """
    text = split_reasoning(text).answer
    lines = [fenced for line, fenced in mark_fenced(text) if line.strip()]
    if not lines:
        return EMPTY
    return CODE if all(lines) else _language_cell(text, identifier)


def line_cells(text: str, identifier: Identifier) -> list[str]:
    """The cells of an answer's lines that are not blank, in order; those in fenced blocks, and the fences, are `code`."""
    text = split_reasoning(text).answer
    return [CODE if fenced else _language_cell(line, identifier) for line, fenced in mark_fenced(text) if line.strip()]


def _language_cell(text: str, identifier: Identifier) -> str:
    if not _enough_letters(text):
        return TOO_SHORT
    label = identifier.trusted(identifier.identify(text))
    if label is None or label == UNSURE or identifier.unknown(label):
        return UNKNOWN
    return identifier.language(label) or label


def _enough_letters(text: str) -> bool:
    letters = list(itertools.islice((c for c in text if unicodedata.category(c).startswith("L")), _FEWEST_LETTERS))
    if len(letters) >= _FEWEST_LETTERS:
        return True
    dense = any(unicodedata.name(letter, "").startswith(_DENSE) for letter in letters)
    return dense and len(letters) >= _FEWEST_DENSE
