"""The function that makes a stranger's text safe for a terminal or a caption.

Escape sequences move the cursor, rename the window or hide text; direction marks reorder a line; a lone surrogate cannot be
written at all. Each is shown as what it is.
"""

from __future__ import annotations

import unicodedata
from typing import Any

__all__ = ["printable", "printable_all"]

_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_KEPT = frozenset("\n\t")


def printable(text: object, *, one_line: bool = False) -> str:
    r"""Text with controls (C0, C1, DEL), direction marks, line separators and lone surrogates written as `\x1b`, `\u202e`.

    Args:
        one_line: Line feeds and tabs are written as escapes too, for a cell of a table or a name in a sentence.

    Joiners (U+200C, U+200D), which Bengali, Persian and emoji need, stay.

    Examples:
        >>> print(printable("a\x1b[31mb"))
        a\x1b[31mb
    """
    found = str(text)
    if found.isascii() and found.isprintable():
        return found
    return "".join(_shown(character, one_line) for character in found)


def printable_all(value: Any) -> Any:
    """The same for every string of nested lists and mappings, keys included."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, dict):
        return {printable_all(key): printable_all(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [printable_all(part) for part in value]
    return value


def _shown(character: str, one_line: bool) -> str:
    if character in _KEPT and not one_line:
        return character
    if character in _BIDI or unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp"):
        code = ord(character)
        return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
    return character
