"""Several ranks, real processes with gloo on the CPU: the records of one process, bit for bit; whatever ends one ends all."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import save_tiny_model
from drills import Drill, Start, finished_lines
from hypothesis import given
from hypothesis import strategies as st
from rank_stage import score_everything
from small_rows import write_small_data
from warm import Warm

from lensbench.backbones.load import LoadedBackbone
from lensbench.engines.division import Loads, passes_of_items
from lensbench.engines.protocol import TokenRequest
from lensbench.engines.tree.scorer import TreeScorer
from lensbench.errors import UsageError
from lensbench.executors.launch import Place, check_devices, check_options, find_place
from lensbench.executors.ranks import ALONE

TESTS = Path(__file__).parents[1]
SUPPORT = TESTS / "support"
_PLACES = (TESTS.parent, TESTS, SUPPORT, TESTS / "engines")
PAIR = ("--data-parallel", "2")
ITEMS, QUESTIONS = 16, 6
SCORES, ANSWERS = 3 * 2 * 2 * ITEMS, 3 * 2 * QUESTIONS
"""Three variants in two languages, two scored tasks."""


@pytest.fixture(scope="module")
def drill(tiny_model_dir: Path, tmp_path_factory: pytest.TempPathFactory, warm: Warm | None) -> Drill:
    made = Drill(tiny_model_dir, write_small_data(tmp_path_factory.mktemp("data"), items=ITEMS, questions=QUESTIONS), warm)
    # A variant that is a model of its own, read when the others are done.
    made.command += ["--variant", f"other={save_tiny_model(tmp_path_factory.mktemp('other') / 'model', layers=2, seed=1)}"]
    # Several passes and several batches of answers; the last of two values counts.
    made.command += ["--batch-size", "2", "--max-new-tokens", "12", "--set", "epochs=1"]
    return made


@pytest.fixture(scope="module")
def alone(drill: Drill, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("alone") / "run"
    start = drill.finish(out)
    assert start.process.returncode == 0, start.stderr
    return out


def records(path: Path) -> dict[str, dict[str, Any]]:
    """By key, without the clock; a key that is there twice fails."""
    found = [json.loads(line) for line in path.read_bytes().splitlines()]
    assert set(Counter(record["key"] for record in found).values()) <= {1}
    return {record["key"]: {name: value for name, value in record.items() if name != "seconds"} for record in found}


def assert_same(out: Path, alone: Path) -> None:
    for stage, many in (("score", SCORES), ("answers", ANSWERS)):
        expected = records(alone / f"items/{stage}.jsonl")
        assert len(expected) == many and records(out / f"items/{stage}.jsonl") == expected
    mine, theirs = (json.loads((folder / "results.json").read_text()) for folder in (out, alone))
    assert mine["cells"] == theirs["cells"]
    assert json.loads((out / "run.json").read_text())["spec"] == json.loads((alone / "run.json").read_text())["spec"]


def helpers(start: Start) -> list[int]:
    """Process ids of the ranks that rank 0 has started."""
    path = Path(f"/proc/{start.process.pid}/task/{start.process.pid}/children")
    return [int(number) for number in path.read_text().split()]


def gone(pid: int, seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            # A zombie has ended; whoever inherited it has not yet looked.
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.05)
    return False


def test_two_ranks_leave_the_records_of_one(drill: Drill, alone: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    start = drill.finish(out, *PAIR)
    assert start.process.returncode == 0, start.stderr
    assert_same(out, alone)
    assert [entry["ranks"] for entry in json.loads((out / "provenance.json").read_text())["starts"]] == [2]
    # Both had work to do.
    shares = [int(n) for n in re.findall(r"rank 0 of 2: (\d+)", start.stderr)]
    assert 0 < sum(shares) < SCORES + ANSWERS


def test_whoever_ends_ends_all_and_any_number_goes_on(drill: Drill, alone: Path, tmp_path: Path) -> None:
    # A run of one process that the power left.
    out = tmp_path / "run"
    shutil.copytree(alone, out)
    for stage, kept in (("score", 21), ("answers", 3)):
        lines = finished_lines(alone, stage)
        (out / f"items/{stage}.jsonl").write_bytes(b"".join(lines[:kept]) + lines[kept][:40])

    start = drill.start(out, *PAIR)
    start.until(lambda: len(start.lines("score")) > 30)
    (helper,) = helpers(start)
    assert start.stop(signal.SIGINT) == 130
    assert gone(helper) and "stopped. Finished work is kept" in start.stderr and "Traceback" not in start.stderr

    start = drill.start(out, *PAIR)
    start.until(lambda: len(start.lines("score")) > 60)
    (helper,) = helpers(start)
    os.kill(helper, signal.SIGKILL)
    died = time.monotonic()
    assert start.wait() == 1
    assert time.monotonic() - died < 15
    assert "rank 1 was ended by SIGKILL" in start.stderr and "Traceback" not in start.stderr
    assert gone(helper)

    start = drill.start(out, *PAIR)
    start.until(lambda: len(start.lines("answers")) > 5)
    (helper,) = helpers(start)
    assert start.stop(signal.SIGKILL) == -signal.SIGKILL
    assert gone(helper), "a rank went on without rank 0"
    assert "Traceback" not in start.stderr

    start = drill.finish(out)
    assert start.process.returncode == 0, start.stderr
    assert finished_lines(out, "score")[:21] == finished_lines(alone, "score")[:21]
    assert_same(out, alone)


def test_torchrun_starts_three_ranks(tiny_model_dir: Path, tmp_path: Path) -> None:
    """Both engines, variants that are scored alone, and fewer items than ranks."""
    data = write_small_data(tmp_path / "data", items=14, questions=2)
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "3", str(SUPPORT / "rank_stage.py")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(map(str, _PLACES))}
    done = subprocess.run(
        [*command, tiny_model_dir, data, tmp_path / "three"], env=environment, capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stderr
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        score_everything(ALONE, tiny_model_dir, data, tmp_path / "one")
    finally:
        torch.set_num_threads(threads)
    for name, many in (("tree", 4 * 4 * 14), ("reference", 4 * 4 * 14), ("one", 4)):
        expected = records(tmp_path / "one" / name / "items/score.jsonl")
        assert len(expected) == many
        assert records(tmp_path / "three" / name / "items/score.jsonl") == expected


@pytest.mark.parametrize(("how", "said"), [("error", "its disk is gone"), ("bug", "ValueError: a slip")])
def test_what_ends_a_rank_is_told_once(tmp_path: Path, how: str, said: str) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    processes = []
    for rank in range(2):
        place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 2, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        environment = {**os.environ, **{name: str(value) for name, value in place.items()}, "PYTHONPATH": str(TESTS.parent)}
        processes.append(
            subprocess.Popen(
                [sys.executable, str(SUPPORT / "rank_that_fails.py"), how, str(tmp_path)],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    (told, _), (other, traceback) = [process.communicate(timeout=100) for process in processes]
    assert [process.returncode for process in processes] == [1, 1]
    assert told == f"told: rank 1: {said}\n" and other == ""
    assert ("Traceback" in traceback) == (how == "bug")


def test_wrong_numbers_are_refused_before_anything_starts(monkeypatch: pytest.MonkeyPatch, cli: Any) -> None:
    done = cli("run", "--backbone", "smollm2-135m", "--data", "embedded", "--data-parallel", "0", "--dry-run")
    assert done.returncode == 2 and "--data-parallel" in done.stderr
    done = cli("run", "--backbone", "llama3-8b", "--data", "embedded", "--data-parallel", "3", "--dry-run")
    assert done.returncode == 0 and "ranks     3:" in done.stdout and "GiB on each rank" in done.stdout

    assert find_place(None) == Place() and find_place(4) == Place(0, 4)
    for device, engine in (("auto", "tree"), ("cpu", "tree"), ("cuda", "reference")):
        check_options(find_place(2), device, engine)
    for device, engine, message in (
        ("cuda:1", "tree", "names one"),
        ("mps", "tree", "cannot be combined with device=mps"),
        ("cuda", "vllm", "cannot be combined with engine=vllm"),
    ):
        check_options(find_place(1), device, engine)
        with pytest.raises(UsageError, match=message):
            check_options(find_place(2), device, engine)
    # No machine of the tests has accelerators to count.
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    check_devices(find_place(4), "cpu")
    check_devices(find_place(2), "cuda")
    with pytest.raises(UsageError, match="this machine has 2 accelerators"):
        check_devices(find_place(3), "cuda")

    for name, value in {"RANK": 2, "LOCAL_RANK": 1, "WORLD_SIZE": 4, "MASTER_ADDR": "a", "MASTER_PORT": 1}.items():
        monkeypatch.setenv(name, str(value))
    assert find_place(None) == find_place(4) == Place(2, 4, 1, True)
    # Two machines of two.
    check_devices(find_place(None), "cuda")
    with pytest.raises(UsageError, match="torchrun started 4 ranks"):
        find_place(2)


def test_less_memory_on_one_rank_divides_no_differently(tiny: LoadedBackbone) -> None:
    requests: list[TokenRequest] = [(("", ""), list(range(5, 60)), [number, 3, 4]) for number in range(5, 90)]
    tree = TreeScorer(tiny, max_length=1024, budget=64)
    items = [str(number // 2) for number in range(len(requests))]
    before = passes_of_items(tree.plan(requests), items)
    assert len(set(before.values())) > 2 and before.keys() == set(items)
    tree.budget //= 2
    assert passes_of_items(tree.plan(requests), items) == before
    scored = [place for answer in tree.score(requests) for place in answer.requests]
    assert sorted(scored) == list(range(len(requests)))


costs_of_stages = st.lists(st.lists(st.integers(0, 50), max_size=12), max_size=4)


@given(st.integers(1, 5), costs_of_stages)
def test_work_is_divided_evenly(ranks: int, stages: list[list[int]]) -> None:
    for neighbours in (True, False):
        loads, given_to = Loads(ranks), [0] * ranks
        for costs in stages:
            owners = loads.assign_to_ranks(costs, keep_neighbours=neighbours)
            assert len(owners) == len(costs)
            if neighbours:
                changes = sum(a != b for a, b in itertools.pairwise(owners))
                assert changes == len(set(owners)) - 1 if owners else changes == 0
            for owner, cost in zip(owners, costs, strict=True):
                given_to[owner] += cost
        if len(stages) == 1 and not neighbours and any(stages[0]):
            # Graham's bound for the dearest first: nobody has more than a fair share and one piece.
            assert max(given_to) <= sum(stages[0]) / ranks + max(stages[0])
