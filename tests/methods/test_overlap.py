"""Overlap of training and evaluation texts: planted sequences are found, chance words are not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lensbench.methods.corpora.overlap import SIGNS, WORDS, TrainingIndex, find_overlap

ENGLISH = "The quick brown fox jumps over the lazy dog while the band plays on and on tonight"
CHINESE = "昨天下午我和朋友在图书馆里一起看了一本关于鲸鱼的书"


def test_planted_sequences_are_found() -> None:
    index = TrainingIndex([ENGLISH, CHINESE])
    assert index.shares("He said: 'the QUICK, brown fox jumps over the lazy dog!' and left.")
    assert index.shares("老师说" + CHINESE[4 : 4 + SIGNS] + "。")
    assert not index.shares("The quick brown fox sat down; the lazy dog did not.")
    assert not index.shares(CHINESE[4 : 4 + SIGNS - 1] + "完全不同的一句话在这里结束了")


def test_short_texts_count_as_a_whole() -> None:
    index = TrainingIndex(["What is the capital of Peru?", "yes"])
    assert index.shares("what is the capital of peru")
    assert not index.shares("What is the capital of Chile?") and not index.shares("yes")


@given(st.lists(st.sampled_from("abcdefghij"), min_size=WORDS, max_size=30))
def test_every_text_overlaps_with_itself(words: list[str]) -> None:
    text = " ".join(word * 3 for word in words)
    assert TrainingIndex([text]).shares("before " + text + " after")


def test_items_are_counted_once() -> None:
    index = TrainingIndex([ENGLISH])
    rows = [{"a": ENGLISH, "b": [ENGLISH]}, {"a": "nothing of the kind is written in this line at all", "n": 3}]
    found = find_overlap("lens", index, "xcopa", "en", enumerate(rows))
    assert (found.items, found.sharing, found.examples[0][0]) == (2, 1, 0)


def test_a_run_says_it_before_the_scores(cli: Callable[..., Any], tiny_model_dir: Path, tmp_path: Path) -> None:
    """A question that is also a training prompt, in Chinese only."""
    import lensbench.datasets.sources as sources

    mini = Path(sources.__file__).with_name("mini")
    prompt = json.loads((mini / "bactrian_x" / "zh" / "train.jsonl").read_text().splitlines()[3])["instruction"]
    folder = tmp_path / "data"
    for rows, code in (("aya", "en"), ("aya", "zh"), ("bactrian_x", "en"), ("bactrian_x", "zh")):
        source = mini / rows / code
        (folder / rows / code).mkdir(parents=True)
        (folder / rows / code / "train.jsonl").write_text((source / "train.jsonl").read_text())
    for code, texts in (("en", ["Name a colour of the sky."]), ("zh", [prompt, "天空是什么颜色？"])):
        (folder / "multiq" / code).mkdir(parents=True)
        lines = [json.dumps({"language": code, "prompt": text}, ensure_ascii=False) for text in texts]
        (folder / "multiq" / code / "train.jsonl").write_text("\n".join(lines) + "\n")
    done = cli(
        "run",
        "-m",
        "lens",
        "-b",
        tiny_model_dir,
        "-l",
        "zh",
        "--data",
        folder,
        "-t",
        "multiq",
        "--max-new-tokens",
        "2",
        "--identifier",
        "lid176",
        "--set",
        "n_probe=8",
        "--set",
        "n_parallel=null",
        "--set",
        "warmup_ratio=0",
        "--out",
        tmp_path / "run",
    )
    assert done.returncode == 0, done.stderr
    assert "multiq/zh: 1 of 2 items share a word sequence with what lens learns from" in done.stderr
    stored = json.loads((tmp_path / "run" / "overlap.json").read_text())
    assert {(o["language"], o["sharing"]) for o in stored} == {("en", 0), ("zh", 1)}
