"""Text of models, data and users as a view shows it: what would hide or turn it is shown by its code point."""

from __future__ import annotations

import re
import unicodedata

from markupsafe import Markup, escape

__all__ = ["plain", "visible"]

# Bidi marks, embeddings, overrides and isolates; zero-width space and byte order mark; line and paragraph separators; controls
# other than tab and newline; halves of surrogate pairs. Zero-width joiners stay: scripts such as Bengali and Persian need them.
_ODD = re.compile(
    "[\u061c\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\u2028\u2029\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]"
)


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
