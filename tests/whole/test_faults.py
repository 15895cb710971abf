"""Fault drills: real processes on a tiny model are killed, interrupted and starved of disk; the same command then goes on to the
results of a run that was left alone, bit for bit."""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from drills import Drill, Start, finished_lines
from small_rows import write_small_data
from warm import Warm

ITEMS, QUESTIONS = 24, 24
ASKED = {"score": 2 * 2 * ITEMS, "answers": 2 * QUESTIONS, "identified": 2 * QUESTIONS}
"""Questions per variant: two languages, two scored tasks, one open task."""
PAGE = 4096


def outcome(out: Path) -> dict[str, Any]:
    """Everything a run says, without the clock. Fails when an item has not exactly one record per variant."""
    results = json.loads((out / "results.json").read_text())
    # Time and memory are the clock's.
    assert set(results.pop("costs")) == {"lens"}
    found: dict[str, Any] = {"results": json.dumps(results), "about": (out / "variants.json").read_bytes()}
    for name in ("delta", "subspaces"):
        found[name] = (out / f"enhancements/lens/{name}.safetensors").read_bytes()
    for stage, asked in ASKED.items():
        # Parsed here on purpose: reading with lensbench would cut a torn line and hide a record that is there twice.
        records = [json.loads(line) for line in (out / f"items/{stage}.jsonl").read_bytes().splitlines()]
        per_variant = Counter((record["item"], record["variant"]) for record in records)
        assert set(per_variant.values()) == {1}, f"{stage}: an item has several records"
        assert Counter(variant for _, variant in per_variant) == {"base": asked, "lens": asked}
        found[stage] = {record["key"]: {k: v for k, v in record.items() if k != "seconds"} for record in records}
    for path in sorted((out / "lm_eval").rglob("samples_*.jsonl")):
        # The name ends in the date of the last start.
        found[str(path.relative_to(out)).rpartition("_")[0]] = path.read_bytes()
    return found


def assert_same_outcome(out: Path, left_alone: Path) -> None:
    mine, theirs = outcome(out), outcome(left_alone)
    assert mine.keys() == theirs.keys()
    for name, content in theirs.items():
        assert mine[name] == content, f"{name} is not what a run left alone has"
    assert not list(out.rglob("*.partial"))


def stamp(path: Path) -> tuple[int, bytes]:
    return path.stat().st_mtime_ns, path.read_bytes()


@pytest.fixture(scope="module")
def drill(tiny_model_dir: Path, tmp_path_factory: pytest.TempPathFactory, warm: Warm | None) -> Drill:
    data = write_small_data(tmp_path_factory.mktemp("data"), items=ITEMS, questions=QUESTIONS)
    return Drill(tiny_model_dir, data, warm)


@pytest.fixture(scope="module")
def left_alone(drill: Drill, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing happened to."""
    out = tmp_path_factory.mktemp("left-alone") / "run"
    start = drill.finish(out, cold=True)
    assert start.process.returncode == 0, start.stderr
    outcome(out)
    return out


def test_killed_while_fitting_scoring_and_answering(drill: Drill, left_alone: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    home = out / "enhancements/lens"
    start = drill.start(out)
    start.until(start.probed)
    assert start.stop(signal.SIGKILL) == -signal.SIGKILL
    assert not home.exists() and not start.lines("score")
    # What is left when the kill hits a moment later: tensors without a card, one of them half written.
    home.mkdir(parents=True)
    (home / "subspaces.safetensors").write_bytes(b"\0" * 100)
    (home / "delta.safetensors.partial").write_bytes((left_alone / "enhancements/lens/delta.safetensors").read_bytes()[:5000])

    start = drill.start(out)
    start.until(lambda: len(start.lines("score")) > 5)
    assert start.stop(signal.SIGKILL) == -signal.SIGKILL
    delta, card, scored = stamp(home / "delta.safetensors"), stamp(home / "card.json"), start.lines("score")
    assert 0 < len(scored) < 2 * ASKED["score"]

    start = drill.start(out)
    start.until(lambda: len(start.lines("answers")) > 0)
    assert start.stop(signal.SIGKILL) == -signal.SIGKILL
    answered = start.lines("answers")
    assert 0 < len(answered) < 2 * ASKED["answers"]
    assert start.lines("score")[: len(scored)] == scored
    assert "training" not in start.stderr
    all_scored = stamp(out / "items/score.jsonl")

    start = drill.finish(out)
    assert start.process.returncode == 0, start.stderr
    assert "continuing the run" in start.stderr
    assert (stamp(home / "delta.safetensors"), stamp(home / "card.json")) == (delta, card), "fitted a second time"
    assert (out / "items/score.jsonl").read_bytes() == all_scored[1], "scored a second time"
    assert start.lines("answers")[: len(answered)] == answered
    assert_same_outcome(out, left_alone)
    assert len(json.loads((out / "provenance.json").read_text())["starts"]) == 3, "of four starts one died before its note"


def test_power_cut_inside_a_batch(drill: Drill, left_alone: Path, tmp_path: Path) -> None:
    """Some of a batch's records reached the disk, the next one only in part; what was written after them did not."""
    out = tmp_path / "run"
    shutil.copytree(left_alone, out)
    kept = {}
    for stage, whole in (("score", ITEMS + 6), ("answers", 7)):
        lines = finished_lines(left_alone, stage)
        kept[stage] = lines[:whole]
        (out / f"items/{stage}.jsonl").write_bytes(b"".join(lines[:whole]) + lines[whole][:40])
    (out / "items/identified.jsonl").unlink()
    (out / "results.json").unlink()
    shutil.rmtree(out / "lm_eval")
    start = drill.finish(out)
    assert start.process.returncode == 0, start.stderr
    for stage, lines in kept.items():
        assert start.lines(stage)[: len(lines)] == lines
    assert_same_outcome(out, left_alone)


def stands_still(pid: int) -> bool:
    """A signal takes its time on a busy machine, and what is in the middle of a write ends that first."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def test_stopped_by_signals_and_a_second_process_beside(drill: Drill, left_alone: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    start = drill.start(out)
    start.until(start.probed)
    assert start.stop(signal.SIGTERM) == 130
    assert "the same command continues it" in start.stderr and "Traceback" not in start.stderr
    assert not (out / "enhancements").exists()

    start = drill.start(out)
    start.until(lambda: len(start.lines("score")) > 5)
    start.process.send_signal(signal.SIGSTOP)
    start.until(lambda: stands_still(start.process.pid))
    before = start.lines("score")
    second = drill.finish(out)
    assert second.process.returncode == 1
    assert f"another process is working on {out}" in second.stderr and "Traceback" not in second.stderr
    assert start.lines("score") == before
    # Sent while it stands still, the interrupt is the first thing it meets: a tiny model would else be done before it.
    start.process.send_signal(signal.SIGINT)
    start.process.send_signal(signal.SIGCONT)
    assert start.wait() == 130
    assert "stopped. Finished work is kept" in start.stderr and "Traceback" not in start.stderr
    scored = (out / "items/score.jsonl").read_bytes()
    assert scored.endswith(b"\n") and len(before) <= scored.count(b"\n") < 2 * ASKED["score"]
    assert not list(out.rglob("*.partial")) and not (out / "results.json").exists()
    delta = stamp(out / "enhancements/lens/delta.safetensors")

    start = drill.finish(out)
    assert start.process.returncode == 0, start.stderr
    assert stamp(out / "enhancements/lens/delta.safetensors") == delta
    assert (out / "items/score.jsonl").read_bytes().startswith(scored)
    assert_same_outcome(out, left_alone)


@contextmanager
def small_disk(path: Path, size: int) -> Iterator[None]:
    """A file system of its own, as large as told."""
    path.mkdir()
    mount = shutil.which("mount")
    if mount is None or os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    done = subprocess.run([mount, "-t", "tmpfs", "-o", f"size={size}", "tmpfs", path], capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", path], check=True)


def leave_free(disk: Path, wanted: int) -> None:
    """Fill a disk with one file until so many bytes are free."""
    ballast = disk / "ballast"
    ballast.unlink(missing_ok=True)
    free = os.statvfs(disk).f_bavail * PAGE
    ballast.write_bytes(b"\0" * (free - wanted))
    assert os.statvfs(disk).f_bavail * PAGE == wanted


def pages(*paths: Path) -> int:
    return sum(math.ceil(path.stat().st_size / PAGE) * PAGE for path in paths)


def assert_said_plainly(start: Start, words: str) -> None:
    assert start.process.returncode == 1, start.stderr
    assert "Traceback" not in start.stderr and "Exception ignored" not in start.stderr
    assert words in start.stderr.splitlines()[-2] + start.stderr.splitlines()[-1], start.stderr


def test_disk_full_while_saving_and_while_scoring(drill: Drill, left_alone: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    with small_disk(disk, 8 << 20):
        out = disk / "run"
        # Room for the spec, not for the tensors.
        leave_free(disk, pages(left_alone / "run.json") + 8 * PAGE)
        start = drill.start(out, log=tmp_path / "log-1")
        start.wait()
        assert_said_plainly(start, "the disk is full")
        assert "safetensors" in start.stderr
        assert not (out / "enhancements/lens/card.json").exists()

        # Room for everything up to about half of the scores.
        enhancement = [p for p in (left_alone / "enhancements/lens").iterdir() if p.is_file()]
        early = [left_alone / name for name in ("variants.json", "provenance.json", "items/items.jsonl")]
        shutil.rmtree(out / "enhancements", ignore_errors=True)
        half = pages(left_alone / "items/score.jsonl") // (2 * PAGE) * PAGE
        leave_free(disk, pages(*enhancement, *early) + half)
        start = drill.start(out, log=tmp_path / "log-2")
        start.wait()
        assert_said_plainly(start, "the disk is full")
        assert f"{out / 'items/score.jsonl'}" in start.stderr
        scored = finished_lines(out, "score")
        assert 0 < len(scored) < 2 * ASKED["score"]
        delta = stamp(out / "enhancements/lens/delta.safetensors")

        (disk / "ballast").unlink()
        start = drill.start(out, log=tmp_path / "log-3")
        assert start.wait() == 0, start.stderr
        assert stamp(out / "enhancements/lens/delta.safetensors") == delta
        assert finished_lines(out, "score")[: len(scored)] == scored
        assert_same_outcome(out, left_alone)


def test_a_limit_on_file_size_while_saving(drill: Drill, left_alone: Path, tmp_path: Path) -> None:
    """What can be tried without a disk of one's own: no file may grow beyond 40 kB, the tensors are larger."""
    out = tmp_path / "run"
    assert (left_alone / "enhancements/lens/delta.safetensors").stat().st_size > 40_000
    start = drill.finish(out, RLIMIT_FSIZE=40_000)
    assert_said_plainly(start, "could not be written")
    assert "delta.safetensors" in start.stderr
    assert not list((out / "enhancements").rglob("*.safetensors*")), "a half-written file takes up the space that is missing"


def test_another_spec_is_refused_and_nothing_changes(drill: Drill, left_alone: Path) -> None:
    # The lock file is opened by every start.
    files = [path for path in sorted(left_alone.rglob("*")) if path.is_file() and path.name != ".lock"]
    before = {path: stamp(path) for path in files}
    start = drill.finish(left_alone, "--seed", "7", "--set", "epochs=2")
    assert start.process.returncode == 2
    assert "seed: 42 there, 7 here" in start.stderr and "variant lens, config.epochs: 10 there, 2 here" in start.stderr
    assert "Traceback" not in start.stderr
    assert {path: stamp(path) for path in left_alone.rglob("*") if path.is_file() and path.name != ".lock"} == before
