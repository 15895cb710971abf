"""How wide text is in LaTeX, estimated without a TeX engine, and where it is broken into lines."""

from __future__ import annotations

from functools import lru_cache

from lensbench.reporting.tables.escape import one_line

__all__ = ["FOOTNOTE", "SCRIPT", "SMALL", "Size", "text_width", "wrapped"]

Size = tuple[str, int]
"""A command, and the points that it means in a class of 10 pt."""
SMALL: Size = (r"\small", 9)
FOOTNOTE: Size = (r"\footnotesize", 8)
SCRIPT: Size = (r"\scriptsize", 7)

_SMALLER_IS_WIDER = {9: 1.028, 8: 1.063, 7: 1.139}
"""Computer Modern has wider letters, as a share of the size, in smaller sizes (cmr9, cmr8, cmr7 against cmr10)."""
_BOLD = 1.17
_SLACK = 1.02
_GROUPS = {
    0.278: ".,:;!iIl'`[]|·",
    0.333: " -",
    0.39: "()/fjrst\u00a0",
    0.5: '0123456789*$–▲▼"_aceoz?^~',
    0.556: "bdghknpquvxyλαρ",
    0.65: "FJLSZP₁₂₃",
    0.75: "ABCDEGHKNORTUVXY&<>=+−±×≈≠wÀÁÂÃÄÅ",
    0.84: "m%#@QΔ",
    1.03: "MW—…ÆŒ",
}
_EM = {character: width for width, characters in _GROUPS.items() for character in characters}
_LETTER, _CODE = 0.75, 0.525
"""Of a Latin letter that is not listed, and of a character of `\\texttt`, in em."""


@lru_cache(maxsize=65536)
def text_width(text: str, size: Size, *, bold: bool = False) -> float:
    """Points that a text takes at most, set by `latex` in Computer Modern; Times is narrower."""
    points = size[1]
    em = sum(map(_width, one_line(text)))
    return em * points * _SMALLER_IS_WIDER[points] * (_BOLD if bold else 1.0) * _SLACK


def _width(character: str) -> float:
    known = _EM.get(character)
    if known is not None:
        return known
    # Beyond the Latin letters `latex` writes a code point, such as U+4E2D.
    return _LETTER if character < "\u0180" else _CODE * (2 + max(4, len(f"{ord(character):X}")))


def wrapped(text: str, limit: float, size: Size, *, bold: bool = False) -> list[str]:
    """Lines of at most `limit` points, broken at spaces; a word that is longer is broken anywhere.

    Returns:
        One line at least.
    """
    lines: list[str] = []
    line = ""
    for word in one_line(text).split(" "):
        joined = f"{line} {word}" if line else word
        if text_width(joined, size, bold=bold) <= limit:
            line = joined
            continue
        lines += [line] if line else []
        *full, line = _pieces(word, limit, size, bold)
        lines += full
    return [*lines, line] if line or not lines else lines


def _pieces(word: str, limit: float, size: Size, bold: bool) -> list[str]:
    """A word in pieces, broken after a separator where there is one in the second half of a piece."""
    pieces = []
    while text_width(word, size, bold=bold) > limit:
        end = 1
        while end < len(word) and text_width(word[: end + 1], size, bold=bold) <= limit:
            end += 1
        after = max((word.rfind(mark, 0, end) + 1 for mark in "/_-.=,:;"), default=0)
        end = after if 2 * after > end else end
        if end == len(word):
            break
        pieces.append(word[:end])
        word = word[end:]
    return [*pieces, word]
