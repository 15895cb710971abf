"""The run folder: records that survive a torn last line, a spec that cannot be swapped, a lock, files whole or absent."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lensbench.errors import RunError, UsageError
from lensbench.records import RecordLog, RunFolder, write_atomically
from lensbench.records.log import read_objects
from lensbench.spec import RunSpec, TaskChoice


def spec(**changes: object) -> RunSpec:
    task = TaskChoice(task="xcopa", language="zh", profile="lens-paper", protocol="0123456789ab", rows="xcopa")
    lens = {"method": "lens", "config": {"rank": 1, "push_strength": {"zh": 0.5}}}
    fields = {
        "lensbench": "0",
        "methods": (lens,),
        "backbone": "b",
        "languages": ("zh",),
        "profile": "lens-paper",
        "tasks": (task,),
        "data": "embedded",
    }
    return RunSpec.model_validate({**fields, **changes})


def fill(path: Path, *records: dict[str, object]) -> None:
    with RecordLog(path) as log:
        log.append(records)


# --- records ---------------------------------------------------------------------------------------------------------


def test_unfinished_last_line_is_cut_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "score.jsonl"
    whole = b'{"key":"a","n":1}\n{"key":"b","n":2}\n'
    torn = b'{"key":"c","n'
    path.write_bytes(whole + torn)
    assert [r["key"] for _, r in read_objects(path)] == ["a", "b"]
    assert path.read_bytes() == whole + torn, "reading must not write"
    with RecordLog(path) as log:
        assert log.repaired_bytes == len(torn)
        assert "c" not in log and len(log) == 2
        log.append([{"key": "c", "n": 3}])
    assert path.read_bytes() == whole + b'{"key":"c","n":3}\n'


def test_a_torn_line_longer_than_one_read_is_cut_whole(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    torn = b'{"key":"b","text":"' + b"x" * 200_000
    path.write_bytes(b'{"key":"a"}\n' + torn)
    assert RecordLog(path).repaired_bytes == len(torn)
    assert path.read_bytes() == b'{"key":"a"}\n'


def test_a_file_of_one_torn_line_becomes_empty(tmp_path: Path) -> None:
    path = tmp_path / "score.jsonl"
    path.write_bytes(b'{"key":')
    assert RecordLog(path).repaired_bytes == 7
    assert path.read_bytes() == b""


def test_finished_files_are_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "items" / "score.jsonl"
    fill(path, {"key": "a"})
    before = path.read_bytes()
    with RecordLog(path) as log:
        assert log.repaired_bytes == 0
    assert path.read_bytes() == before


def test_a_key_is_written_once(tmp_path: Path) -> None:
    path = tmp_path / "score.jsonl"
    with RecordLog(path) as log:
        log.append([{"key": "a", "n": 1}, {"key": "a", "n": 2}])
        log.append([{"key": "a", "n": 3}, {"key": "b", "n": 4}])
    fill(path, {"key": "b", "n": 5})
    assert [value for _, value in read_objects(path)] == [{"key": "a", "n": 1}, {"key": "b", "n": 4}]


@pytest.mark.parametrize(
    "line", [b"{not json", b'{"n":1}', b'["key"]', b'"key"', b"7", b"null", b"", b'{"key":["a"]}', b'{"key":"\xff"}']
)
def test_a_corrupt_finished_line_is_named(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "score.jsonl"
    path.write_bytes(b'{"key":"a"}\n' + line + b'\n{"key":"b"}\n')
    with pytest.raises(RunError, match=r"score\.jsonl, line 2: not an item record") as caught:
        RecordLog(path)
    assert caught.value.exit_code == 1
    assert "Delete that line" in str(caught.value)


@pytest.mark.parametrize(
    "text", ["\ud83d", "\ud83d\ude00", "a\x00\x1f\r\n\t\x85\u2028\u2029b", "\\n", "\U0001f600", "﷽", "\x7f\ufeff"]
)
def test_any_text_comes_back_as_it_was(tmp_path: Path, text: str) -> None:
    path = tmp_path / "answers.jsonl"
    fill(path, {"key": "a", "text": text}, {"key": "b" + text})
    assert [value for _, value in read_objects(path)] == [{"key": "a", "text": text}, {"key": "b" + text}]
    assert path.read_bytes().count(b"\n") == 2


_TEXT = st.text(st.characters(exclude_categories=()), max_size=12)


@settings(max_examples=60, deadline=None)
@given(texts=st.lists(_TEXT, min_size=1, max_size=6), data=st.data())
def test_cut_anywhere_a_file_loses_its_last_record_at_most(tmp_path_factory: pytest.TempPathFactory, texts, data) -> None:
    path = tmp_path_factory.mktemp("cut") / "answers.jsonl"
    records = [{"key": str(i), "text": text} for i, text in enumerate(texts)]
    ends = [0]
    with RecordLog(path) as log:
        for record in records:
            log.append([record])
            ends.append(path.stat().st_size)
    cut = data.draw(st.integers(0, ends[-1]))
    path.write_bytes(path.read_bytes()[:cut])
    survivors = sum(end <= cut for end in ends[1:])
    with RecordLog(path) as log:
        assert log.repaired_bytes == cut - ends[survivors]
        assert [value for _, value in read_objects(path)] == records[:survivors]
        log.append(records)
    assert [value for _, value in read_objects(path)] == records


def test_a_full_disk_is_said_and_keeps_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "score.jsonl"
    path.symlink_to("/dev/full")  # every write to it fails with ENOSPC
    with pytest.raises(RunError, match="the disk is full") as caught, RecordLog(path) as log:
        log.append([{"key": "a"}])
    assert "same command again" in str(caught.value)
    assert "a" not in log, "a record that was not written must be asked again"


# --- the folder ------------------------------------------------------------------------------------------------------


def test_the_same_spec_goes_on_and_keeps_the_pins(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.begin(spec())
    folder.pin({"rows:aya": "abc"})
    folder.begin(spec())
    assert folder.pinned() == {"rows:aya": "abc"}
    assert RunFolder.existing(folder.path).spec() == spec()


@pytest.mark.parametrize("content", [{"spec": {"lensbench": "9.9", "news": 1}}, {"pinned": {}}, {"spec": []}, []])
def test_a_run_of_another_version_is_told_with_its_version(tmp_path: Path, content: object) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.write_json("run.json", content)
    with pytest.raises(RunError, match=r"cannot be read by this version; version (9\.9|unknown) of lensbench wrote it"):
        folder.spec()


def test_another_spec_is_refused_with_the_difference(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.begin(spec())
    with folder.log("items") as log:
        log.append([{"key": "a"}])
    before = (folder.path / "run.json").read_bytes()
    task = TaskChoice(task="xwinograd", language="zh", profile="lens-paper", protocol="ab", rows="xwinograd")
    other = spec(seed=7, methods=({"method": "lens", "config": {"rank": 1, "push_strength": {"zh": 0.9}}},), tasks=(task,))
    with pytest.raises(UsageError) as caught:
        folder.begin(other)
    lines = [line.strip() for line in caught.value.message.splitlines()[1:]]
    assert lines == [
        "variant lens, config.push_strength.zh: 0.5 there, 0.9 here",
        "seed: 42 there, 7 here",
        "task xcopa in zh: there only",
        "task xwinograd in zh: here only",
    ]
    assert caught.value.exit_code == 2
    assert (folder.path / "run.json").read_bytes() == before


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(UsageError, match="not empty and holds no run"):
        RunFolder(tmp_path).begin(spec())
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_damaged_run_json_is_named(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text('{"spec": ')
    with pytest.raises(RunError, match=r"run\.json: not readable as JSON"):
        RunFolder(tmp_path).begin(spec())


HOLD = """
import sys, pathlib
from lensbench.records import RunFolder
with RunFolder(pathlib.Path(sys.argv[1])).lock():
    print("held", flush=True)
    sys.stdin.readline()
"""


def test_the_lock_keeps_a_second_process_out_and_dies_with_its_holder(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        with pytest.raises(RunError, match="another process is working on") as caught, folder.lock():
            pytest.fail("two processes held one lock")
        assert caught.value.exit_code == 1
        holder.kill()
    with folder.lock():
        pass


# --- whole files -----------------------------------------------------------------------------------------------------

WRITE_UNDER_LIMIT = """
import pathlib, resource, sys
from lensbench.errors import RunError
from lensbench.records import write_atomically
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write_atomically(pathlib.Path(sys.argv[1]), "new" * 10_000)
except RunError as error:
    print(error)
"""


def test_a_write_that_fails_half_way_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_text("old")
    done = subprocess.run([sys.executable, "-c", WRITE_UNDER_LIMIT, path], capture_output=True, text=True, check=True)
    assert f"{path}: could not be written (File too large)" in done.stdout
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("results.json", "old")]


WRITE_FOREVER = """
import pathlib, sys
from lensbench.records import write_atomically
print("writing", flush=True)
while True:
    for letter in "ab":
        write_atomically(pathlib.Path(sys.argv[1]), letter * 3_000_000)
"""


def test_readers_and_a_killed_writer_never_see_half_a_file(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    wholes = ("a" * 3_000_000, "b" * 3_000_000)
    writer = subprocess.Popen([sys.executable, "-c", WRITE_FOREVER, str(path)], stdout=subprocess.PIPE, text=True)
    with writer:
        assert writer.stdout is not None and writer.stdout.readline() == "writing\n"
        while not path.is_file():
            assert writer.poll() is None
        seen = {path.read_text() in wholes for _ in range(30)}
        writer.kill()
    assert seen == {True}
    assert path.read_text() in wholes


def test_a_file_in_the_place_of_a_folder_is_said_plainly(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file")
    with pytest.raises(RunError, match="could not be written"):
        write_atomically(tmp_path / "run" / "results.json", "{}")
    with pytest.raises(RunError, match="could not be written"), RunFolder(tmp_path / "run").lock():
        pass


def test_json_with_lone_surrogates_can_be_written_and_read(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.write_json("other.json", {"text": "\ud83d"})
    assert folder.read_json("other.json") == {"text": "\ud83d"}
    # A reader that is stricter about UTF-8 than ours can read it too.
    assert json.loads((tmp_path / "other.json").read_bytes().decode("utf-8")) == {"text": "\ud83d"}


def test_a_run_that_finished_nothing_gives_way(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    one, two = spec(limit=1), spec(limit=2)
    folder.begin(one)
    folder.pin({"backbone_digest": "x"})
    folder.begin(two)
    assert folder.spec() == two and folder.pinned() == {}
    with folder.log("items") as log:
        log.append([{"key": "a"}])
    with pytest.raises(UsageError, match="limit: 2 there, 1 here"):
        folder.begin(one)
