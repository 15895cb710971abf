"""The repetition share, beside a slow and obvious version, and on answers of a small model."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lensbench.grading.repetition import is_degenerate, repetition_share

# Answers of SmolLM2-135M.
LOOPS = [
    "你可以献绵着声音，你可以献绵着声音，你可以献绵着声音，你可以献",
    "皮肤在阳光下会合成哪种维生素？\n\n" + "The answer is:\n\n" * 6,
    "美丽的雨是什么？美丽的雨是什么？美丽的雨是什么？美丽的雨是什么？美",
    "什么是引力？谁会受到它的影响" + "？" * 20,
]
ORDINARY = [
    "The Suez Canal is a waterway that connects the Mediterranean Sea to the Red Sea. It was opened in 1869.",
    "光合作用是植物利用光能把二氧化碳和水变成养分，同时放出氧气的过程。",
    "การสังเคราะห์ด้วยแสงเป็นกระบวนการที่พืชใช้พลังงานจากแสงเพื่อสร้างอาหาร",
    "この川は古い水車小屋のそばを流れて海に注ぎます。",
    "",
    "no",
    "1. a\n2. b\n3. c",
]


@pytest.mark.parametrize("text", LOOPS)
def test_loops_are_degenerate(text: str) -> None:
    assert is_degenerate(text) and repetition_share(text) <= 1


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_answers_are_not(text: str) -> None:
    assert repetition_share(text) == 0.0 and not is_degenerate(text)


@pytest.mark.parametrize(
    "sentence",
    [
        "Sijui jibu la swali hili gumu sana. ",
        "আমি এই প্রশ্নের উত্তর জানি না বন্ধু। ",
        "ฉันไม่รู้คำตอบของคำถามนี้เลยจริงๆ",
        "私はこの質問の答えを知りません。",
        "لا أعرف جواب هذا السؤال الصعب جدا. ",
    ],
)
@pytest.mark.parametrize("times", [3, 10])
def test_a_sentence_said_again(sentence: str, times: int) -> None:
    """All but the first time is a repetition."""
    assert repetition_share(sentence * times) == pytest.approx((times - 1) / times, abs=0.02)
    assert repetition_share(sentence) == 0.0


def test_code_and_reasoning_are_left_out() -> None:
    code = "```\n" + "x = x + 1\n" * 50 + "```"
    assert repetition_share(f"Here it is, as you asked me to do.\n{code}") == 0.0
    assert repetition_share("<think>" + "wait, let me think again. " * 50 + "</think>The answer is four.") == 0.0


def slow(words: list[str]) -> float:
    """Every word of a sequence of five that stands anywhere before is marked."""
    marked = [False] * len(words)
    for end in range(5, len(words) + 1):
        if any(words[end - 5 : end] == words[other : other + 5] for other in range(end - 5)):
            marked[end - 5 : end] = [True] * 5
    total = sum(map(len, words))
    return sum(len(word) for word, mark in zip(words, marked, strict=True) if mark) / total if total else 0.0


@given(st.lists(st.sampled_from(["one", "two", "seven", "eleven"]), max_size=40))
def test_it_is_what_it_says(words: list[str]) -> None:
    assert repetition_share(" ".join(words)) == pytest.approx(slow(words))


@given(st.text(max_size=200))
def test_any_text_has_a_share(text: str) -> None:
    assert 0 <= repetition_share(text) <= 1


@pytest.mark.parametrize("text", ["a" * 200_000, "好" * 200_000, "la la " * 50_000, "|---" * 50_000])
def test_it_is_linear(text: str) -> None:
    began = time.perf_counter()
    assert is_degenerate(text)
    assert time.perf_counter() - began < 5
