"""Names of languages in their own script, where a font on this machine can show them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from lensbench.languages import Language, languages
from lensbench.reporting.shown_text import plain

if TYPE_CHECKING:
    from matplotlib.font_manager import FontEntry

__all__ = ["Label", "in_default", "installed", "labels_for", "look_again", "missing_fonts", "printable"]

_DEFAULT = "DejaVu Sans"
"""Comes with matplotlib."""
_PREFERRED = {
    "Hani": ("Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC"),
    "Jpan": ("Noto Sans CJK JP", "Noto Sans JP", "Source Han Sans JP"),
    "Kore": ("Noto Sans CJK KR", "Noto Sans KR", "Source Han Sans KR"),
    "Arab": ("Noto Sans Arabic", "Noto Naskh Arabic"),
    "Beng": ("Noto Sans Bengali",),
    "Deva": ("Noto Sans Devanagari",),
    "Thai": ("Noto Sans Thai",),
}
"""Script -> families to try first. One character may have another shape in another language, so the script decides."""


@dataclass(frozen=True)
class Label:
    """How a language is named in a figure.

    Attributes:
        families: Fonts that have all its characters, or the default.
        missing: A native name was asked for, and no font on this machine has it.
    """

    code: str
    text: str
    families: tuple[str, ...] = (_DEFAULT,)
    missing: bool = False


def labels_for(codes: Sequence[str], *, native: bool = False) -> dict[str, Label]:
    """A label for each language: its code, or its own name for itself.

    A name that no installed font can show gives way to the code; boxes in place of letters are never drawn.
    """
    labels = {code: _label(code, native) for code in codes}
    if any(label.missing for label in labels.values()) and look_again():
        labels = {code: _label(code, native) for code in codes}
    return labels


def look_again() -> bool:
    """Whether fonts are on this machine that matplotlib does not know: it keeps a list of those that it found before.

    They are known to this process afterwards.
    """
    from matplotlib import font_manager

    manager = font_manager.fontManager
    known = {str(face.fname) for face in manager.ttflist}
    found = False
    for path in sorted(set(font_manager.findSystemFonts()) - known):
        try:
            manager.addfont(path)
        except (OSError, RuntimeError, ValueError):
            # No font that matplotlib can read: it stays as missing as it was.
            continue
        found = True
    if found:
        _faces.cache_clear()
        _characters.cache_clear()
    return found


def missing_fonts(labels: dict[str, Label]) -> str:
    """A sentence on the names that could not be shown; "" where all could."""
    lacking = [label.code for label in labels.values() if label.missing]
    if not lacking:
        return ""
    named = ", ".join(f"{code} ({languages()[code].script})" for code in lacking)
    return f"No installed font has the script of {named}: the code stands in place of the name."


def installed() -> list[str]:
    """The default font, and behind it one for each script that this machine has one for."""
    return [_DEFAULT, *(found for names in _PREFERRED.values() if (found := next((n for n in names if n in _faces()), None)))]


def in_default(text: str) -> bool:
    """Whether the font that comes with matplotlib is all a text needs; its own Arabic letters are not taken."""
    return all(char.isspace() or (ord(char) in _characters(_DEFAULT) and not "\u0600" <= char <= "\u08ff") for char in text)


def printable(value: object) -> str:
    """A name as it can be drawn: what hides or turns text, and what no font has a letter for, as `U+202E`."""
    there = frozenset().union(*(_characters(family) for family in installed()))
    return "".join(c if c.isspace() or ord(c) in there else f"U+{ord(c):04X}" for c in plain(value))


def _label(code: str, native: bool) -> Label:
    language = languages().get(code)
    if not native or language is None:
        return Label(code, code)
    family = _family(language)
    if family is None:
        return Label(code, code, missing=True)
    return Label(code, language.native, (family,) if family == _DEFAULT else (family, _DEFAULT))


def _family(language: Language) -> str | None:
    wanted = {ord(char) for char in language.native if not char.isspace()}
    faces = _faces()
    # The families after the preferred ones are tried by name, so the choice does not hang on the order of files on a disk.
    for name in dict.fromkeys((*_PREFERRED.get(language.script, ()), _DEFAULT, *sorted(faces, key=_sans_first))):
        if name in faces and wanted <= _characters(name):
            return name
    return None


def _sans_first(name: str) -> tuple[bool, str]:
    return "Sans" not in name, name


@cache
def _faces() -> dict[str, FontEntry]:
    """Family -> its upright face of normal weight."""
    from matplotlib import font_manager

    found: dict[str, FontEntry] = {}
    for face in font_manager.fontManager.ttflist:
        # A font without letters for all that is asked of it draws a box for every one ("Last Resort" fonts do so on purpose).
        if face.style == "normal" and face.weight in (400, "normal", "regular") and "last resort" not in face.name.lower():
            found.setdefault(face.name, face)
    return found


@cache
def _characters(family: str) -> frozenset[int]:
    """Code points that a family has a glyph for; none where its file cannot be read."""
    from matplotlib import font_manager

    try:
        path = font_manager.findfont(font_manager.FontProperties(family=[family]), fallback_to_default=False)
        return frozenset(font_manager.get_font(path).get_charmap())
    except (OSError, RuntimeError, ValueError):
        return frozenset()
