"""A data folder small enough to be written by a test: all that a LENS run with scores and open questions needs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

_WORDS = {
    "en": ("the cat", "a river", "my friend", "the old door", "rain", "her letter", "two birds"),
    "zh": ("那只猫", "一条河", "我的朋友", "那扇旧门", "雨", "她的信", "两只鸟"),
}
_CODES = {"aya": {"en": "eng", "zh": "zho"}}


def _pick(language: str, number: int) -> str:
    words = _WORDS[language]
    return " ".join(words[(number * k + k) % len(words)] for k in range(1, 2 + number % 4))


def _xcopa(language: str, i: int) -> dict[str, Any]:
    first, second = _pick(language, i + 1), _pick(language, i + 2)
    question = ("cause", "effect")[i % 2]
    return {
        "premise": f"{_pick(language, i)} {i}.",
        "choice1": f"{first}.",
        "choice2": f"{second}!",
        "question": question,
        "label": i % 2,
        "idx": i,
        "changed": False,
    }


def _xwinograd(language: str, i: int) -> dict[str, Any]:
    return {
        "sentence": f"{_pick(language, i)} _ {i}",
        "option1": _pick(language, i + 1),
        "option2": _pick(language, i + 3),
        "answer": str(1 + i % 2),
    }


def _multiq(language: str, i: int) -> dict[str, Any]:
    return {"id": f"q{i}", "language": language, "prompt": f"{_pick(language, i)} {i}?", "domain": "none"}


def _aya(language: str, i: int) -> dict[str, Any]:
    script = {"en": "English", "zh": "Simplified Chinese"}[language]
    return {
        "inputs": f"{_pick(language, i)} {i}?",
        "targets": _pick(language, i + 5),
        "language": script,
        "language_code": _CODES["aya"][language],
    }


def _bactrian(language: str, i: int) -> dict[str, Any]:
    # Prompts of the two languages are parallel where their ids agree; the text need not be a translation.
    return {
        "instruction": f"{_pick(language, i)} {i}",
        "input": _pick(language, i + 1) if i % 3 == 0 else "",
        "id": f"alpaca-{i}",
        "output": _pick(language, i + 2),
    }


_SHAPES: dict[str, tuple[str, Callable[[str, int], dict[str, Any]]]] = {
    "xcopa": ("test", _xcopa),
    "xwinograd": ("test", _xwinograd),
    "multiq": ("train", _multiq),
    "aya": ("train", _aya),
    "bactrian_x": ("train", _bactrian),
}


def write_small_data(folder: Path, *, items: int, questions: int, probing: int = 12, prompts: int = 24) -> Path:
    """Write English and Chinese rows in the shapes of the hub, as JSONL."""
    counts = {"xcopa": items, "xwinograd": items, "multiq": questions, "aya": probing, "bactrian_x": prompts}
    for name, (split, shape) in _SHAPES.items():
        for language in ("en", "zh"):
            rows = [shape(language, i) for i in range(counts[name])]
            path = small_file(folder, name, language)
            assert path.stem == split
            path.parent.mkdir(parents=True)
            path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return folder


def small_file(folder: Path, rows: str, language: str) -> Path:
    """Where the rows of one data set and language are."""
    return folder / rows / _CODES.get(rows, {}).get(language, language) / f"{_SHAPES[rows][0]}.jsonl"


def write_validation(folder: Path, languages: tuple[str, ...], rows: int = 12) -> Path:
    """A data folder whose XCOPA has a validation split in some languages."""
    write_small_data(folder, items=9, questions=5)
    for code in languages:
        test = small_file(folder, "xcopa", code)
        lines = [{**json.loads(line), "idx": i} for i, line in enumerate(test.read_text(encoding="utf-8").splitlines())]
        own = [{**lines[i % len(lines)], "premise": f"validation {i}.", "idx": i} for i in range(rows)]
        test.with_name("validation.jsonl").write_text("".join(json.dumps(one) + "\n" for one in own), encoding="utf-8")
    return folder
