"""Text of models and data in a page: nothing in it is interpreted, and what would hide or turn it is shown by name."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from markupsafe import Markup, escape

from lensbench.jsonio import json_text

__all__ = ["compact_json", "json_for_page", "plain", "visible"]

# Bidi marks, embeddings, overrides and isolates; zero-width space and byte order mark; line and paragraph separators; controls
# other than tab and newline; halves of surrogate pairs. Zero-width joiners stay: scripts such as Bengali and Persian need them.
_ODD = re.compile(
    "[\u061c\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\u2028\u2029\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]"
)
_HALVES = re.compile("[\ud800-\udfff]")


def visible(value: object) -> Markup:
    """A value as escaped text in which characters that hide or turn text are replaced by a mark with their code point."""
    if isinstance(value, Markup):
        return value
    text = "" if value is None else str(value)
    parts, end = [], 0
    for match in _ODD.finditer(text):
        parts.append(escape(text[end : match.start()]))
        name = unicodedata.name(match[0], "")
        parts.append(Markup('<span class="odd" title="{}">U+{:04X}</span>').format(name, ord(match[0])))
        end = match.end()
    return Markup("").join([*parts, escape(text[end:])])


def plain(value: object) -> str:
    """The same without markup, for attributes: `U+202E` in place of the character."""
    return _ODD.sub(lambda match: f"U+{ord(match[0]):04X}", str(value))


def compact_json(content: Any) -> bytes:
    """JSON as UTF-8; halves of surrogate pairs, which UTF-8 cannot hold, as escapes."""
    text = json_text(content, separators=(",", ":"))
    return _HALVES.sub(lambda match: f"\\u{ord(match[0]):04x}", text).encode("utf-8")


def json_for_page(content: Any) -> Markup:
    """JSON that can stand in a script element: ASCII, and without a sign that HTML knows."""
    text = json_text(content, ensure_ascii=True, separators=(",", ":"))
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))
