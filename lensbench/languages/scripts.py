"""Whether a text is written wholly in the script of a language, from the names that Unicode gives to letters.

The standard library knows no scripts, but the name of a letter begins with the name of its script, with few exceptions.
"""

from __future__ import annotations

import functools
import unicodedata

from lensbench.languages.table import CENTRAL, Language, get_language

__all__ = ["is_in_script", "script_distinguishes"]

_HAN = ("CJK ", "IDEOGRAPHIC ", "VERTICAL IDEOGRAPHIC ")
_KANA = ("HIRAGANA ", "KATAKANA ", "KATAKANA-HIRAGANA ", "HENTAIGANA ")
_HANGUL = ("HANGUL ",)
_MIXED = {"Hani": _HAN, "Hans": _HAN, "Hant": _HAN, "Jpan": (*_KANA, *_HAN), "Kore": (*_HANGUL, *_HAN)}
_SINGLE = (
    "Adlm ADLAM, Arab ARABIC, Armn ARMENIAN, Bali BALINESE, Beng BENGALI, Cans CANADIAN SYLLABICS, Cher CHEROKEE, Cyrl CYRILLIC, "
    "Deva DEVANAGARI, Ethi ETHIOPIC, Geor GEORGIAN, Grek GREEK, Gujr GUJARATI, Guru GURMUKHI, Hang HANGUL, Hebr HEBREW, "
    "Java JAVANESE, Khmr KHMER, Knda KANNADA, Laoo LAO, Latn LATIN, Mlym MALAYALAM, Mong MONGOLIAN, Mtei MEETEI MAYEK, "
    "Mymr MYANMAR, Nkoo NKO, Olck OL CHIKI, Orya ORIYA, Sinh SINHALA, Sund SUNDANESE, Syrc SYRIAC, Taml TAMIL, Telu TELUGU, "
    "Tfng TIFINAGH, Thaa THAANA, Thai THAI, Tibt TIBETAN, Vaii VAI, Yiii YI"
)
_NAMES = {**_MIXED, **{one[:4]: (f"{one[5:]} ",) for one in _SINGLE.split(", ")}}
"""ISO 15924 code -> how the names of its letters begin."""
_OWN = {"Jpan": _KANA, "Kore": _HANGUL}
"""Scripts that take over the letters of another: letters of which a text must have at least one, or it is in the other."""
_WIDTHS = ("HALFWIDTH ", "FULLWIDTH ")
_NO_SCRIPT = ("MODIFIER LETTER ", "MATHEMATICAL ", "MICRO SIGN", "FEMININE ORDINAL", "MASCULINE ORDINAL")
"""Beginnings of the names of letters that all scripts use."""


def is_in_script(text: str, language: Language) -> bool | None:
    """Whether every letter of a text is of the script of a language.

    Digits, punctuation, symbols and marks belong to all scripts. A Japanese text needs a kana and a Korean one a Hangul letter:
    a text of Han characters alone is in the script of Chinese.

    Returns:
        False of a text without letters; None if the table below does not know the language's script.

    Examples:
        >>> zh, ja = get_language("zh"), get_language("ja")
        >>> is_in_script("水力发电站，1882年。", zh), is_in_script("水力发电站", ja), is_in_script("水が流れる", ja)
        (True, False, True)
        >>> is_in_script("AI是什么？", zh)
        False
    """
    names = _NAMES.get(language.script)
    if names is None:
        return None
    letters = {name for character in set(text) if (name := _letter_name(character))}
    if not all(name.startswith(names) for name in letters):
        return False
    return any(name.startswith(_OWN.get(language.script, names)) for name in letters)


def script_distinguishes(language: Language) -> bool:
    """Whether its script tells a language from the central one: not if both are written in the same script."""
    return language.script != get_language(CENTRAL).script


@functools.lru_cache(maxsize=65_536)
def _letter_name(character: str) -> str:
    """Unicode's name of a letter, without its width; "" of what is no letter, or is a letter of all scripts."""
    if not unicodedata.category(character).startswith("L"):
        return ""
    # A letter without a name is of a script that is not in the table, such as Tangut.
    name = unicodedata.name(character, "UNNAMED")
    for width in _WIDTHS:
        name = name.removeprefix(width)
    return "" if name.startswith(_NO_SCRIPT) else name
