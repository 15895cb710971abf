"""Whether a text is in the script of a language; the oracle is the script property of the package `regex`."""

from __future__ import annotations

import sys
import unicodedata

import pytest

from lensbench.languages import get_language, is_in_script, languages, script_distinguishes

regex = pytest.importorskip("regex")

ODD = ("KELVIN SIGN", "ANGSTROM SIGN", "SUPERSCRIPT LATIN", "TURNED ", "ROMAN NUMERAL", "OHM SIGN", "OLD CHINESE ITERATION MARK")
"""Signs of no living text whose names do not begin with their script; to Unicode they are letters of Latin, Greek or Han."""
PARTS = {"Hani": ["Han"], "Jpan": ["Han", "Hiragana", "Katakana"], "Kore": ["Hangul", "Han"]}


@pytest.mark.parametrize(
    ("code", "text", "inside"),
    [
        ("zh", "水力发电站是电动机的发电方框，它可以发电。", True),
        ("zh", "1882年，ＡＢＣ", False),
        ("zh", "この川は流れます。", False),
        ("zh", "AI是什么？", False),
        ("ja", "この川は古い水車小屋のそばを流れて、海に注ぎます。", True),
        ("ja", "コーヒー・ﾒﾆｭｰ", True),
        ("ja", "水力发电站", False),  # Han alone is Chinese
        ("ko", "이 강은 바다(海)로 흘러갑니다.", True),
        ("ko", "海", False),
        ("sw", "Ng'ombe wa ng’ambo – café!", True),
        ("ar", "يمر النهر بجانب الطـاحونة ٣", True),
        ("hi", "नदी बहती है।", True),
        ("th", "แม่น้ำ ๓ สาย", True),
        ("en", "12 + 30 = 42", False),
        ("en", "", False),
    ],
)
def test_texts(code: str, text: str, inside: bool) -> None:
    assert is_in_script(text, get_language(code)) is inside


def test_an_unknown_script_is_not_guessed() -> None:
    assert is_in_script("abc", get_language("en").model_copy(update={"script": "Zsym"})) is None


def test_what_the_script_distinguishes() -> None:
    assert [script_distinguishes(get_language(code)) for code in ("zh", "ar", "ru", "sw", "en")] == [
        True,
        True,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize("code", [c for c, one in languages().items() if one.script not in ("Jpan", "Kore")] + ["ja", "ko"])
def test_every_letter_of_unicode(code: str) -> None:
    """Against \\p{Script}; modifier letters, ordinals and the like belong to all scripts here."""
    language = get_language(code)
    pattern = regex.compile("|".join(rf"\p{{Script={name}}}" for name in PARTS.get(language.script, [language.script])))
    every = regex.compile(r"\p{Script=Common}|\p{Script=Inherited}")
    known = "水" if language.script in ("Hani",) else {"ja": "は", "ko": "강"}.get(code, "")
    wrong = []
    for point in range(sys.maxunicode + 1):
        letter = chr(point)
        name = unicodedata.name(letter, "")
        if unicodedata.category(letter)[0] != "L" or every.match(letter) or "MODIFIER" in name or "ORDINAL" in name:
            continue
        if bool(is_in_script(known + letter, language)) != bool(pattern.match(letter)):
            wrong.append(name)
    assert {name for name in wrong if not name.startswith(ODD)} == set()
