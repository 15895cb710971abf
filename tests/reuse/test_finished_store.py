"""The store of finished work: what is written is read back or missed, never something else, whatever happens meanwhile."""

from __future__ import annotations

import errno
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lensbench.errors import UsageError
from lensbench.reuse import KINDS, Store, clear, held, key_of_content, open_store, other_bytes, size_limit
from lensbench.reuse import store as store_module

LARGE = 2**30


def new(folder: Path, limit: int = LARGE) -> tuple[Store, list[str]]:
    said: list[str] = []
    return Store(folder, limit, said.append), said


def put(store: Store, name: str, content: Any, kind: str = "scores", backbone: str = "tiny", count: int = 1) -> str:
    key = key_of_content(name)
    assert store.put(kind, key, content, backbone=backbone, count=count)
    return key


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=80, deadline=None)
@given(content=JSON)
def test_what_is_written_is_read_back_to_the_bit(tmp_path_factory: pytest.TempPathFactory, content: Any) -> None:
    folder = tmp_path_factory.mktemp("store")
    key = put(new(folder)[0], "a", content)
    found = new(folder)[0].get("scores", key)
    # `repr` tells 0.0 from -0.0 and 1 from 1.0; a surrogate is escaped and comes back.
    assert repr(found) == repr(content)


@settings(max_examples=120, deadline=None)
@given(data=st.data())
def test_any_change_of_a_file_is_a_miss_and_said(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("store")
    content = [[-1.25, True], [None, False], "text"]
    key = put(new(folder)[0], "a", content)
    store, said = new(folder)
    path = store.path("scores", key)
    raw = path.read_bytes()
    how = data.draw(st.sampled_from(["cut", "byte", "empty", "other", "list"]))
    if how == "cut":
        # Without its last line break, nothing of an entry is missing.
        path.write_bytes(raw[: data.draw(st.integers(0, len(raw) - 2))])
    elif how == "byte":
        at = data.draw(st.integers(0, len(raw) - 2))
        path.write_bytes(raw[:at] + bytes([raw[at] ^ data.draw(st.integers(1, 255))]) + raw[at + 1 :])
    elif how == "other":
        path.write_bytes(new(folder)[0].path("scores", put(store, "b", content)).read_bytes())
    else:
        path.write_bytes(b"" if how == "empty" else b"[]\n[]\n")
    found = store.get("scores", key)
    if found is not None:
        # What a byte of the first line says to a reader (backbone, count, spaces) does not concern the content.
        assert how == "byte" and repr(found) == repr(content) and not said
        return
    assert len(said) == 1 and str(path) in said[0] and "damaged" in said[0] and store.damaged["scores"] == 1
    assert not path.exists()
    assert put(store, "a", content) == key and new(folder)[0].get("scores", key) == content


def test_the_first_entry_of_a_key_stays(tmp_path: Path) -> None:
    store, _ = new(tmp_path)
    key = put(store, "a", 1)
    put(store, "a", 2)
    assert store.get("scores", key) == 1
    store.put("scores", key, 3, backbone="tiny", count=1, replace=True)
    assert store.get("scores", key) == 3 and store.get("answers", key) is None


def test_the_limit_removes_what_was_not_used_for_longest(tmp_path: Path) -> None:
    store, _ = new(tmp_path)
    keys = [put(store, str(number), "x" * 1000) for number in range(10)]
    paths = [store.path("scores", key) for key in keys]
    size = paths[0].stat().st_size
    for age, path in enumerate(reversed(paths)):
        os.utime(path, (time.time() - 3600 * (age + 1),) * 2)
    small, said = new(tmp_path, 10 * size + 10)
    # The oldest is used, so it is the newest from now on.
    assert small.get("scores", keys[0]) is not None
    last = put(small, "one more", "x" * 1000)
    left = [key for key in [*keys, last] if small.path("scores", key).exists()]
    assert left == [keys[0], *keys[3:], last] and not said
    assert sum(one.size for one in held(tmp_path)) <= 10 * size + 10
    huge = key_of_content("huge")
    assert not small.put("scores", huge, "x" * 20 * size, backbone="tiny", count=1)
    assert "not kept" in said[0] and [k for k in [*keys, last] if small.path("scores", k).exists()] == left


def test_a_full_disk_ends_nothing_and_is_said_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, said = new(tmp_path)
    key = put(store, "a", 1)

    def full(path: Path, data: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(store_module, "_write", full)
    for name in ("b", "c"):
        assert not store.put("scores", key_of_content(name), 1, backbone="tiny", count=1)
    assert len(said) == 1 and "No space left on device" in said[0] and store.get("scores", key) == 1


def test_really_full(tmp_path: Path) -> None:
    """A file-size limit of the system, since a full disk cannot be had without rights."""
    code = f"""
import resource, signal
from pathlib import Path
from lensbench.reuse import Store, key_of_content
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
said = []
store = Store(Path({str(tmp_path)!r}), 2**30, said.append)
print(store.put("scores", key_of_content(1), "x" * 5000, backbone="t", count=1), len(said))
print(store.put("scores", key_of_content(2), "x", backbone="t", count=1), store.get("scores", key_of_content(2)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["False", "1", "True", "x"], done.stderr
    assert not list(tmp_path.rglob("*.partial"))


def test_a_folder_that_cannot_be_written_or_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    store, said = new(tmp_path / "file")
    for name in ("a", "b"):
        assert not store.put("scores", key_of_content(name), 1, backbone="tiny", count=1)
        assert store.get("scores", key_of_content(name)) is None
    assert len(said) == 1 and "not kept" in said[0]
    assert held(tmp_path / "file") == [] and clear(tmp_path / "file", KINDS) == (0, 0)


_WRITER = """
import random, sys
from pathlib import Path
from lensbench.reuse import Store, key_of_content
folder, seed = Path(sys.argv[1]), int(sys.argv[2])
random.seed(seed)
store = Store(folder, 60_000, lambda text: print("SAID", text, flush=True))
print("ready", flush=True)
while True:
    name = random.randrange(40)
    key = key_of_content(name)
    found = store.get("scores", key)
    if found is not None and found != [name] * 1000:
        print("WRONG", name, flush=True)
    store.put("scores", key, [name] * 1000, backbone="tiny", count=1, replace=random.random() < 0.5)
"""


def test_many_writers_that_are_killed_leave_only_whole_entries(tmp_path: Path) -> None:
    """Four processes read, write, replace and trim the same 40 keys; each is killed in the middle, three times over."""
    chance = random.Random(1)
    for turn in range(3):
        writers = [
            subprocess.Popen([sys.executable, "-c", _WRITER, tmp_path, str(10 * turn + n)], stdout=subprocess.PIPE, text=True)
            for n in range(4)
        ]
        for writer in writers:
            assert writer.stdout is not None and writer.stdout.readline() == "ready\n"
        time.sleep(0.5 + chance.random() / 2)
        for writer in writers:
            writer.send_signal(signal.SIGKILL)
        for writer in writers:
            said = writer.communicate()[0]
            # Nobody ever reads half an entry, or another one.
            assert said == ""
    store, said_now = new(tmp_path)
    found = {name: store.get("scores", key_of_content(name)) for name in range(40)}
    assert not said_now and sum(content is not None for content in found.values()) > 3
    assert all(content in (None, [name] * 1000) for name, content in found.items())


def test_what_a_killed_process_left_is_removed_after_a_day(tmp_path: Path) -> None:
    store, _ = new(tmp_path)
    folder = store.path("scores", put(store, "a", 1)).parent
    old, fresh = folder / "a.json.1-ab.partial", folder / "b.json.2-cd.partial"
    for path in (old, fresh):
        path.write_text("half")
    os.utime(old, (time.time() - 2 * 86400,) * 2)
    small, _ = new(tmp_path, 400)
    put(small, "b", "x" * 50)
    assert not old.exists() and fresh.exists() and [one.entries for one in held(tmp_path)] == [1]


def test_contents_and_clearing(tmp_path: Path) -> None:
    store, _ = new(tmp_path / "finished")
    old = put(store, "a", 1, "scores", "one", 200)
    put(store, "b", 1, "scores", "two", 100)
    put(store, "c", 1, "answers", "one", 3)
    (store.path("scores", old)).with_name("junk.json").write_text("{")
    (tmp_path / "verdicts" / "ab").mkdir(parents=True)
    (tmp_path / "verdicts" / "ab" / "x.json").write_text("12345")
    counted = [(one.kind, one.backbone, one.entries, one.count) for one in held(tmp_path / "finished")]
    assert counted == [("scores", None, 1, 0), ("scores", "one", 1, 200), ("scores", "two", 1, 100), ("answers", "one", 1, 3)]
    assert other_bytes(tmp_path, tmp_path / "finished") == {"verdicts": 5}
    os.utime(store.path("scores", old), (time.time() - 40 * 86400,) * 2)
    assert clear(tmp_path / "finished", ["answers"], 30 * 86400) == (0, 0)
    size = store.path("scores", old).stat().st_size
    assert clear(tmp_path / "finished", KINDS, 30 * 86400) == (1, size)
    assert clear(tmp_path / "finished", ["scores"])[0] == 2 and [one.kind for one in held(tmp_path / "finished")] == ["answers"]
    assert (tmp_path / "verdicts" / "ab" / "x.json").is_file()


def test_links_are_not_followed(tmp_path: Path) -> None:
    store, _ = new(tmp_path / "store")
    folder = store.path("scores", put(store, "a", 1)).parent
    outside = tmp_path / "mine.txt"
    outside.write_text("mine")
    (folder / "link.json").symlink_to(outside)
    (tmp_path / "store" / "scores" / "zz").symlink_to(tmp_path)
    clear(tmp_path / "store", KINDS)
    assert outside.read_text() == "mine" and held(tmp_path / "store") == []


@pytest.mark.parametrize("text", ["-1", "five", "1 GiBi", "1e9", "nan", "1 2", "٣GB"])
def test_what_is_no_size(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LENSBENCH_CACHE_SIZE", text)
    with pytest.raises(UsageError, match="LENSBENCH_CACHE_SIZE is"):
        size_limit()


def test_a_limit_of_nought_switches_it_off(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LENSBENCH_CACHE", str(tmp_path))
    monkeypatch.setenv("LENSBENCH_CACHE_SIZE", "0")
    assert open_store(print) is None
    monkeypatch.delenv("LENSBENCH_CACHE_SIZE")
    found = open_store(print)
    assert found is not None and found.folder == tmp_path / "finished" and size_limit() == 5 * 2**30


def test_an_entry_is_two_lines_that_a_person_can_read(tmp_path: Path) -> None:
    store, _ = new(tmp_path)
    head, body = store.path("scores", put(store, "a", [1.5], count=7)).read_text().splitlines()
    assert json.loads(head)["count"] == 7 and json.loads(head)["backbone"] == "tiny" and json.loads(body) == [1.5]
