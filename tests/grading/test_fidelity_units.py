"""Units of fidelity, labels, and text without code; expected values are worked out by hand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lensbench.grading.fidelity import (
    ONLY_CODE,
    Identified,
    Identifier,
    identify_without_code,
    is_lenient,
    is_strict,
    is_unknown,
    join_turns,
    language_of_label,
    load_identifier,
    question_units,
    strip_code,
    strip_code_units,
)
from lensbench.languages import get_language, languages

AR, SW, ZH = get_language("ar"), get_language("sw"), get_language("zh")


@pytest.fixture(scope="module")
def lid() -> Identifier:
    return load_identifier()


@pytest.mark.parametrize(
    ("label", "code", "strict", "lenient"),
    [
        ("swh_Latn", "sw", True, True),
        ("swc_Latn", "sw", False, True),  # Congo Swahili
        ("swh_Arab", "sw", False, False),  # Ajami
        ("arb_Arab", "ar", True, True),
        ("apc_Arab", "ar", False, True),  # Levantine
        ("arb_Latn", "ar", False, False),
        ("ben_Latn", "bn", False, False),
        ("yue_Hani", "zh", False, True),
        ("hak_Latn", "zh", False, False),
        ("kor_Hang", "ko", True, True),
        ("swh_Latn", "en", False, False),
        ("sw", "sw", True, True),
        ("wuu", "zh", True, True),
        ("arz", "ar", True, True),
        ("en", "sw", False, False),
        ("und_Latn", "en", False, False),
        (None, "en", False, False),
    ],
)
def test_strict_and_lenient_labels(label: str | None, code: str, strict: bool, lenient: bool) -> None:
    language = get_language(code)
    assert (is_strict(label, language), is_lenient(label, language)) == (strict, lenient)
    assert (language_of_label(label) == code) == lenient


def test_every_language_counts_its_own_labels_and_no_others() -> None:
    for code, language in languages().items():
        for label in (language.glotlid, *language.lid176):
            assert is_strict(label, language) and language_of_label(label) == code and not is_unknown(label)
            assert [other for other, one in languages().items() if is_lenient(label, one)] == [code]


@pytest.mark.real
def test_the_labels_of_glotlid_v3(real_data: Path) -> None:
    """Its authors' own list of labels, one a row of a table."""
    page = (real_data / "glotlid" / "languages-v3.md").read_text(encoding="utf-8")
    labels = re.findall(r"^\|\s*\d+\s*\|\s*(\S+)\s*\|", page, re.M)
    assert len(labels) == len(set(labels)) > 2000
    assert {language.glotlid for language in languages().values()} <= set(labels)
    assert {label for label in labels if is_unknown(label)} == {label for label in labels if label[:4] in ("und_", "zxx_")}
    # None is taken for a label of lid.176, and only Chinese, Arabic, Swahili and Quechua have relatives in it.
    leniently = {code: {label for label in labels if is_lenient(label, one)} for code, one in languages().items()}
    assert {code for code, found in leniently.items() if len(found) > 1} == {"zh", "ar", "sw", "qu"}
    assert leniently["zh"] >= {"cmn_Hani", "yue_Hani", "wuu_Hani", "lzh_Hani"}
    assert all(label.endswith("_Arab") for label in leniently["ar"]) and len(leniently["ar"]) > 5


@pytest.mark.parametrize(
    ("label", "unknown"), [("und_Mong", True), ("zxx_Zzzz", True), ("und", True), (None, True), ("unde", False)]
)
def test_labels_for_no_language(label: str | None, unknown: bool) -> None:
    assert is_unknown(label) is unknown
    assert language_of_label("fra_Latn") == "fr" and language_of_label("nob_Latn") is None


@pytest.mark.parametrize(
    ("turns", "joined", "strict", "lenient"),
    [
        # turn 1, turn 2, response, concat, all
        (["arb_Arab", "arb_Arab"], "arb_Arab", [1, 1, 1, 1, 1], [1, 1, 1, 1, 1]),
        (["arb_Arab", "eng_Latn"], "arb_Arab", [1, 0, 0.5, 1, 0], [1, 0, 0.5, 1, 0]),
        (["arb_Arab", "arz_Arab"], "arz_Arab", [1, 0, 0.5, 0, 0], [1, 1, 1, 1, 1]),
        (["arb_Latn", "arb_Arab"], "eng_Latn", [0, 1, 0.5, 0, 0], [0, 1, 0.5, 0, 0]),
        ([None, "arb_Arab"], "arb_Arab", [0, 1, 0.5, 1, 0], [0, 1, 0.5, 1, 0]),
        ([None, None], None, [0, 0, 0, 0, 0], [0, 0, 0, 0, 0]),
    ],
)
def test_the_five_units(turns: list[str | None], joined: str | None, strict: list[float], lenient: list[float]) -> None:
    names = ["lf_turn1", "lf_turn2", "lf_response", "lf_question_concat", "lf_question_all"]
    wanted = dict(zip(names, strict, strict=True)) | {f"{n}_lenient": v for n, v in zip(names, lenient, strict=True)}
    assert question_units(turns, joined, AR) == wanted


@pytest.mark.parametrize(("label", "value"), [("sw", 1), ("en", 0), (None, 0)])
def test_one_turn_is_one_unit(label: str | None, value: float) -> None:
    assert question_units([label], None, SW) == {"lf_turn1": value, "lf_turn1_lenient": value}
    assert strip_code_units([label], None, SW) == {"lf_turn1_strip_code": value}


def test_a_question_has_turns() -> None:
    with pytest.raises(ValueError, match="at least one turn"):
        question_units([], None, SW)


@pytest.mark.parametrize(
    ("turns", "joined", "values"),
    [
        (["sw", ONLY_CODE], "sw", [1, None, 1, 1, 1]),
        ([ONLY_CODE, "en"], "en", [None, 0, 0, 0, 0]),
        ([ONLY_CODE, None], None, [None, 0, 0, 0, 0]),
        ([ONLY_CODE, ONLY_CODE], ONLY_CODE, [None, None, None, None, None]),
    ],
)
def test_nothing_but_code_is_no_score(turns: list[str | None], joined: str | None, values: list[float | None]) -> None:
    units = strip_code_units(turns, joined, SW)
    assert list(units.values()) == values
    assert all(name.endswith("_strip_code") for name in units)


labels = st.sampled_from(["sw", "en", None])


@given(st.lists(labels, min_size=2, max_size=5), labels)
def test_units_bound_one_another(turns: list[str | None], joined: str | None) -> None:
    units = question_units(turns, joined, SW)
    each = [units[f"lf_turn{n}"] for n in range(1, len(turns) + 1)]
    assert units["lf_question_all"] == float(all(each)) <= units["lf_response"] <= max(each)
    assert units["lf_response"] * len(turns) == pytest.approx(sum(each))
    assert all(units[name] <= units[f"{name}_lenient"] for name in units if not name.endswith("_lenient"))


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Jibu ni `x = 1` hapa.", "Jibu ni   hapa."),
        ("a ``b ` c`` d", "a   d"),
        ("bei ya `moja tu", "bei ya `moja tu"),  # never closed
        ("kabla\n```python\nx = 1\n```\nbaada", "kabla\nbaada"),
        ("kabla\n  ````\n```\nx\n  ````  \nbaada", "kabla\nbaada"),  # three do not close four
        ("kabla\n```python\nx = 1\n``` baada", "kabla"),  # a closing fence stands alone, so this runs to the end
        ("kabla\n```\nhaijafungwa", "kabla"),
        ("```x``` si uzio", "  si uzio"),  # backticks behind the opening ones: a span, no fence
        ("```\nx = 1\n```", ""),
        ("", ""),
    ],
)
def test_code_is_taken_away(text: str, left: str) -> None:
    assert strip_code(text) == left


@given(st.text(alphabet="a `\n~", max_size=60))
def test_what_has_no_backticks_stays(text: str) -> None:
    left = strip_code(text)
    assert len(left) <= len(text)
    if "`" not in text:
        assert left.split() == text.split()
    assert strip_code(f"kwanza\n{text}").startswith("kwanza")


SWAHILI = "Mwalimu aliwaambia wanafunzi wasome vitabu vyao kwa makini."
CODE = "```python\nfor line in open(path):\n    print(line.strip())\n```"


def test_turns_are_joined_as_one_line() -> None:
    assert join_turns(["a\n\nb ", "\tc", ""]) == "a b c"


def test_what_is_identified_without_code(lid: Identifier) -> None:
    assert identify_without_code([f"{SWAHILI}\n{CODE * 20}"], lid).label == "sw"
    assert identify_without_code([CODE], lid) == Identified(ONLY_CODE, None)
    assert identify_without_code([" \n"], lid) == Identified(None, None)  # empty is not "nothing but code"
    assert identify_without_code([CODE, ""], lid).label == ONLY_CODE
    assert ONLY_CODE not in lid.labels
    # The block that turn 1 leaves open does not take turn 2 with it.
    assert identify_without_code([CODE.removesuffix("```"), SWAHILI], lid).label == "sw"
