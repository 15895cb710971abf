"""The language table: every code finds its way to every data set's code and back."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lensbench.data.rows import rows_specs
from lensbench.errors import UsageError
from lensbench.languages import get_language, language_of, languages, parse_languages

PAPER = {  # Table of codes: canonical, XWinograd, MMMLU split, GlotLID strict, NLLB-200
    "en": ("en", None, "eng_Latn", "eng_Latn"),
    "zh": ("zh", "ZH_CN", "cmn_Hani", "zho_Hans"),
    "ja": ("jp", "JA_JP", "jpn_Jpan", "jpn_Jpan"),
    "ko": (None, "KO_KR", "kor_Hang", "kor_Hang"),
    "ar": (None, "AR_XY", "arb_Arab", "arb_Arab"),
    "bn": (None, "BN_BD", "ben_Beng", "ben_Beng"),
    "sw": (None, "SW_KE", "swh_Latn", "swh_Latn"),
}


@pytest.mark.parametrize("code", PAPER)
def test_codes_of_the_paper(code: str) -> None:
    language = get_language(code)
    assert (language.code_in("xwinograd"), language.code_in("mmmlu"), language.glotlid, language.nllb) == PAPER[code]


def test_all_named_languages_are_there() -> None:
    assert set(languages()) >= {
        "en",
        "zh",
        "ja",
        "ko",
        "ar",
        "bn",
        "sw",
        "th",
        "vi",
        "id",
        "it",
        "tr",
        "es",
        "hi",
        "te",
        "et",
        "ht",
        "qu",
        "ta",
        "fr",
        "ru",
        "pt",
        "de",
    }


def test_every_code_round_trips() -> None:
    pairs = 0
    for language in languages().values():
        for dataset, codes in language.codes.items():
            for code in codes if isinstance(codes, tuple) else (codes,):
                assert language_of(dataset, code) is language
                pairs += 1
    assert pairs >= 140


def test_every_data_set_of_the_table_has_rows_or_is_an_import() -> None:
    known = {spec.codes or name for name, spec in rows_specs().items()} | {"copa"}
    assert {dataset for x in languages().values() for dataset in x.codes} <= known


@pytest.mark.parametrize(
    ("wrong", "right"),
    [("jp", "'ja'"), ("swh", "'sw'"), ("Chinese", "'zh'"), ("cmn_Hani", "'zh'"), ("Chinse", "zh"), ("zg", "zh")],
)
def test_a_wrong_code_names_the_right_one(wrong: str, right: str) -> None:
    with pytest.raises(UsageError) as caught:
        get_language(wrong)
    assert right in str(caught.value)


def test_parse_languages() -> None:
    assert parse_languages("zh, ja,zh,en") == ("zh", "ja")
    with pytest.raises(UsageError):
        parse_languages(" , ")


@pytest.mark.real
def test_glotlid_labels_exist(real_data: Path) -> None:
    supported = set(
        re.findall(r"[a-z]{3}_[A-Z][a-z]{3}", (real_data / "glotlid" / "languages-v3.md").read_text(encoding="utf-8"))
    )
    missing = [x.glotlid for x in languages().values() if x.glotlid not in supported]
    assert not missing
