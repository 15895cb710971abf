"""`lensbench cache`: what it shows, and what it removes."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from conftest import Here

from lensbench.reuse import Store, key_of_content

HOSTILE = "\x1b[31mred\u202e"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("LENSBENCH_CACHE", str(tmp_path))
    monkeypatch.setenv("LENSBENCH_CACHE_SIZE", "2MB")
    made = Store(tmp_path / "finished", 10**6, print)
    made.put("scores", key_of_content("a"), [1], backbone="tiny", count=200)
    made.put("fits", key_of_content("b"), [1], backbone=HOSTILE, count=1)
    return made


def test_contents(store: Store, here: Here) -> None:
    code, text = here("cache")
    assert code == 0 and "limit 2.0 MB" in text and str(store.folder) in text and "\x1b" not in text and "\u202e" not in text
    (scores,) = [line for line in text.splitlines() if line.startswith("scores")]
    assert scores.split()[:4] == ["scores", "tiny", "1", "200"]
    code, text = here("cache", "--json")
    found = json.loads(text)
    assert code == 0 and [entry["kind"] for entry in found["entries"]] == ["scores", "fits"] and found["limit"] == 2_000_000
    assert found["size"] == sum(path.stat().st_size for path in store.folder.rglob("*.json"))
    assert here("cache", "path") == (0, f"{store.folder}\n")


def test_clearing(store: Store, here: Here) -> None:
    path = store.path("fits", key_of_content("b"))
    os.utime(path, (time.time() - 3 * 3600,) * 2)
    size = path.stat().st_size
    assert here("cache", "clear", "--older-than", "4h") == (0, "0 files removed, 0 bytes\n")
    assert here("cache", "clear", "--kind", "scores", "--older-than", "2h") == (0, "0 files removed, 0 bytes\n")
    assert here("cache", "clear", "--older-than", "2h") == (0, f"1 files removed, {size} bytes\n") and not path.exists()
    assert here("cache", "clear")[1].startswith("1 files removed") and here("cache", "clear")[1].startswith("0 files removed")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["clear", "--kind", "score"], "Did you mean 'scores'?"),
        (["clear", "--older-than", "soon"], "--older-than soon is no duration"),
        (["clear", "--older-than", "-3d"], "is no duration"),
        (["show"], "No such command 'show'"),
    ],
)
def test_what_is_refused(store: Store, here: Here, words: list[str], says: str) -> None:
    code, text = here("cache", *words)
    assert code == 2 and says in text and "Traceback" not in text


def test_a_size_that_is_none(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LENSBENCH_CACHE_SIZE", "much")
    for words in (["cache"], ["run", "-b", "smollm2-135m", "--data", "embedded", "-t", "xcopa", "--dry-run"]):
        code, text = here(*words)
        assert code == 2 and "LENSBENCH_CACHE_SIZE is 'much'" in text
    assert here("run", "-b", "smollm2-135m", "--data", "embedded", "-t", "xcopa", "--dry-run", "--no-cache")[0] == 0


def test_a_dry_run_says_whether_it_is_used(store: Store, here: Here) -> None:
    words = ["run", "-b", "smollm2-135m", "--data", "embedded", "-t", "xcopa", "--dry-run"]
    assert f"cache     {store.folder}: work of earlier runs is not done again" in here(*words)[1]
    assert "cache     off: all work is done anew" in here(*words, "--no-cache")[1]
    assert json.loads(here(*words, "--json")[1])["cache"] == str(store.folder)
