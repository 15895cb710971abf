"""Pairs from files of the user's: every form, and what can be wrong with them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lensbench.datasets.sources import open_data
from lensbench.errors import DataError, UsageError
from lensbench.methods.corpora.parallel import Pair, check_pairs, load_parallel

ENGLISH = ["A dog barks.", 'She said "no".', "Third\u2028line."]
CHINESE = ["狗叫。", "她说“不”。", "第三行。"]
WANTED = [(z, e) for z, e in zip(CHINESE, ENGLISH, strict=True)]


def read(name: str | Path, *languages: str) -> dict[str, list[tuple[str, str]]]:
    found, _ = load_parallel(open_data("embedded"), str(name), languages or ("en", "zh"))
    return {code: [(pair.source, pair.target) for pair in pairs] for code, pairs in found.items()}


def test_jsonl(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    rows = [{"id": f"x{n}", "zh": z, "en": e, "sw": ""} for n, (z, e) in enumerate(WANTED)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    assert read(path) == {"zh": WANTED}
    pairs, origins = load_parallel(open_data("embedded"), str(path), ("en", "zh"))
    assert pairs["zh"][1] == Pair("x1", CHINESE[1], ENGLISH[1])
    assert origins["p.jsonl/zh"].rows == 3 and origins["p.jsonl/zh"].kind == "local"
    assert read(path, "en", "zh", "sw")["sw"] == [], "blank texts make no pair"


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_tsv_with_a_header(tmp_path: Path, ending: str) -> None:
    path = tmp_path / "p.tsv"
    lines = ["domain\ten\tid\tzh", *(f"news\t{e}\t{n}\t{z}" for n, (z, e) in enumerate(WANTED))]
    path.write_bytes(("\ufeff" + ending.join(lines) + ending).encode())
    assert read(path) == {"zh": WANTED}


def test_tsv_whose_name_says_the_columns(tmp_path: Path) -> None:
    """As News Commentary comes: `ar-en` has English second."""
    (tmp_path / "news-v16.en-zh.tsv").write_text("".join(f"{e}\t{z}\n" for z, e in WANTED), encoding="utf-8")
    (tmp_path / "news-v16.ar-en.tsv").write_text("كلب\tA dog\n\n", encoding="utf-8")
    assert read(tmp_path / "news-v16.en-zh.tsv") == {"zh": WANTED}
    assert read(tmp_path / "news-v16.ar-en.tsv", "en", "ar") == {"ar": [("كلب", "A dog")]}
    (tmp_path / "news.tsv").write_text("A dog\t狗\n", encoding="utf-8")
    with pytest.raises(UsageError, match="the languages of the columns are unknown"):
        read(tmp_path / "news.tsv")


def test_plain_text_line_by_line(tmp_path: Path) -> None:
    (tmp_path / "c.en").write_text("\n".join([*ENGLISH, "", "Last."]) + "\n", encoding="utf-8")
    (tmp_path / "c.zh").write_text("\n".join([*CHINESE, "空", "末。"]) + "\n", encoding="utf-8")
    assert read(tmp_path / "c.{language}") == {"zh": [*WANTED, ("末。", "Last.")]}
    (tmp_path / "c.zh").write_text("\n".join(CHINESE) + "\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"c\.zh has 3 lines, .*c\.en has 5"):
        read(tmp_path / "c.{language}")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.jsonl", b'{"en": "x"}\n', r"line 1: nothing in 'zh' \(it has 'en'\)"),
        ("a.jsonl", b'{"en": "x", "zh": 3}\n', "line 1, 'zh': expected text, found int"),
        ("a.jsonl", b'{"en": "x", "zh": "y", "id": 1}\n{"en": "x", "zh": "y", "id": 1}\n', "rows 1 and 2: both have the id '1'"),
        ("a.jsonl", b"[]\n", "line 1: expected an object, found list"),
        ("a.jsonl", b"", "no pairs"),
        ("a.tsv", b"en\tzh\nx\n", "line 2: expected 2 columns, found 1"),
        ("a.tsv", b"en\tsw\nx\ty\n", r"nothing in 'zh' \(it has 'en', 'sw'\)"),
        ("a.tsv", b"en\tzh\n\xff\t\xfe\n", "not UTF-8 at byte 6"),
        ("a.en-ja.tsv", b"x\ty\n", "nothing in 'zh'"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=said):
        read(tmp_path / name)


def test_names_are_checked_before_anything_is_loaded(tmp_path: Path) -> None:
    check_pairs("ntrex", ["zh"])
    with pytest.raises(UsageError, match="unknown pairs 'ntrx'") as caught:
        check_pairs("ntrx", ["zh"])
    assert "Did you mean 'ntrex'?" in str(caught.value.hint)
    with pytest.raises(UsageError, match="no file of parallel texts at"):
        check_pairs(str(tmp_path / "none.tsv"), ["zh"])
    with pytest.raises(UsageError, match=r"neither \.tsv nor \.jsonl"):
        check_pairs(str(tmp_path / "c.en"), ["zh"])


def test_methods_learn_from_a_file(cli: Callable[..., Any], tiny_model_dir: Path, tmp_path: Path) -> None:
    path = tmp_path / "mine.en-zh.tsv"
    path.write_text("".join(f"Sentence number {n}.\t第{n}句话。\n" for n in range(24)), encoding="utf-8")
    out = tmp_path / "run"
    done = cli(
        "run",
        "-m",
        "qalign,incline",
        "-b",
        tiny_model_dir,
        "-l",
        "zh",
        "--data",
        "embedded",
        "-t",
        "xcopa",
        "--limit",
        "2",
        "--set",
        f"qalign.pairs={path}",
        "--set",
        "qalign.n_pairs=16",
        "--set",
        "qalign.max_length=256",
        "--set",
        "qalign.warmup_ratio=0",
        "--set",
        f"incline.pairs={path}",
        "--set",
        "incline.n_pairs=8",
        "--set",
        "incline.n_dev=4",
        "--out",
        out,
    )
    assert done.returncode == 0, done.stderr
    cards = [json.loads((out / "enhancements" / name / "card.json").read_text()) for name in ("qalign", "incline")]
    assert all(any(str(path) in where for where in card["data"]) for card in cards)
    assert cards[0]["pools"]["mine.en-zh.tsv/zh"]["chosen"] == 16
