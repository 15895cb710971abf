"""The embedded set: counts, balance of answers, duplicates, script, and that its items are parallel where they say so."""

from __future__ import annotations

import collections
import unicodedata

import pytest

from lensbench.datasets import load_rows_spec, open_data
from lensbench.languages import get_language

CODES = ("en", "zh", "ja", "ko", "ar", "bn", "sw")
SETS = {
    "completions": ("test", 120),
    "xcopa": ("test", 24),
    "xwinograd": ("test", 24),
    "xstory_cloze": ("eval", 24),
    "m_mmlu": ("test", 24),
    "multiq": ("train", 40),
    "open_questions": ("test", 8),
    "bactrian_x": ("train", 64),
    "aya": ("train", 64),
}
ANSWERS = {
    "completions": ("label", {0, 1}),
    "xcopa": ("label", {0, 1}),
    "xwinograd": ("answer", {"1", "2"}),
    "xstory_cloze": ("answer_right_ending", {1, 2}),
    "m_mmlu": ("answer", set("ABCD")),
}
TEXTS = {
    "completions": ("beginning", "ending1", "ending2"),
    "xcopa": ("premise", "choice1", "choice2"),
    "xwinograd": ("sentence",),
    "xstory_cloze": (*(f"input_sentence_{i}" for i in range(1, 5)), "sentence_quiz1", "sentence_quiz2"),
    "m_mmlu": ("instruction",),
    "multiq": ("prompt",),
    "open_questions": ("turns",),
    "bactrian_x": ("instruction",),
    "aya": ("inputs", "targets"),
}
SCRIPTS = {
    "en": ("LATIN",),
    "sw": ("LATIN",),
    "zh": ("CJK",),
    "ja": ("HIRAGANA", "KATAKANA", "CJK"),
    "ko": ("HANGUL",),
    "ar": ("ARABIC",),
    "bn": ("BENGALI",),
}
LANGUAGES = {"completions": ("en", "zh")}
"""Sets that have fewer languages than the others."""


def with_rows(names: object) -> list[tuple[str, str]]:
    return [(name, code) for name in names for code in LANGUAGES.get(name, CODES)]


def rows(name: str, code: str) -> list[dict]:
    return open_data("embedded").load(load_rows_spec(name), get_language(code), SETS[name][0]).rows


def texts(name: str, row: dict) -> list[str]:
    return [t for field in TEXTS[name] for t in (row[field] if isinstance(row[field], list) else [row[field]])]


@pytest.mark.parametrize(("name", "code"), with_rows(SETS))
def test_counts_whitespace_and_duplicates(name: str, code: str) -> None:
    found = rows(name, code)
    assert len(found) >= SETS[name][1]
    whole = ["\n".join(texts(name, row)) for row in found]
    assert [w for w, n in collections.Counter(whole).items() if n > 1] == []
    assert [t for row in found for t in texts(name, row) if t != t.strip()] == []


@pytest.mark.parametrize(("name", "code"), with_rows(ANSWERS))
def test_answers_are_balanced(name: str, code: str) -> None:
    field, labels = ANSWERS[name]
    counts = collections.Counter(row[field] for row in rows(name, code))
    assert set(counts) == labels
    assert max(counts.values()) - min(counts.values()) <= 2


@pytest.mark.parametrize(("name", "code"), with_rows(SETS))
def test_script(name: str, code: str) -> None:
    letters = [c for row in rows(name, code) for t in texts(name, row) for c in t if c.isalpha()]
    right = sum(unicodedata.name(c, "").startswith(SCRIPTS[code]) for c in letters)
    assert right / len(letters) > 0.93


@pytest.mark.parametrize("name", ["completions", "xcopa", "xstory_cloze", "m_mmlu", "multiq", "open_questions", "bactrian_x"])
def test_parallel_items_have_the_same_ids_and_answers(name: str) -> None:
    key = {
        "completions": "id",
        "xcopa": "idx",
        "xstory_cloze": "story_id",
        "m_mmlu": "id",
        "open_questions": "question_id",
        "bactrian_x": "id",
        "multiq": "id",
    }[name]
    answer = ANSWERS.get(name, ("",))[0]
    english = {row[key]: row.get(answer) for row in rows(name, "en")}
    for code in LANGUAGES.get(name, CODES)[1:]:
        assert {row[key]: row.get(answer) for row in rows(name, code)} == english


@pytest.mark.parametrize("code", LANGUAGES["completions"])
def test_endings_are_of_like_length(code: str) -> None:
    """The sum of log-likelihoods decides, so a set whose right endings are shorter would be answered by length alone."""
    longer = collections.Counter()
    for row in rows("completions", code):
        right, wrong = (len(row[f"ending{1 + abs(row['label'] - place)}"]) for place in (0, 1))
        longer["right" if right > wrong else "wrong" if wrong > right else "same"] += 1
    assert longer["wrong"] <= 1.5 * longer["right"] + longer["same"]


@pytest.mark.parametrize("code", CODES)
def test_winograd_items_are_fit_for_scoring(code: str) -> None:
    for row in rows("xwinograd", code):
        assert row["sentence"].count("_") == 1
        before, after = row["sentence"].split("_")
        assert len(after.strip()) > 3, "the words after the blank are what is scored"
        assert row["option1"] != row["option2"]
        assert all(option in before for option in (row["option1"], row["option2"])), row


@pytest.mark.parametrize("code", CODES)
def test_prompts_for_training_are_not_the_questions_asked(code: str) -> None:
    asked = {turn for row in rows("open_questions", code) for turn in row["turns"]}
    asked |= {row["prompt"] for row in rows("multiq", code)}
    assert not asked & {row["instruction"] for row in rows("bactrian_x", code)}


def test_the_warning_stands_with_the_rows() -> None:
    origin = open_data("embedded").load(load_rows_spec("xcopa"), get_language("zh"), "test").origin
    assert origin.kind == "embedded" and origin.warning is not None
    assert "unreviewed" in origin.warning and "not a benchmark" in origin.warning
