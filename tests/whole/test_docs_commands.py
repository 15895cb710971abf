"""Every `lensbench` command that README and docs print is run, on tiny models and small data.

A `run` is planned in an installation with the core alone (`--dry-run` looks up every name and option), and carried out among the
slow tests. Every other command is carried out here, and once more with the core alone: it works, or says what to install.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from docs_world import SMALL, World, documented
from installed_only import run_with
from judge_server import JudgeServer

COMMANDS = documented()
RUNS = [line for _, line in COMMANDS if line.startswith("lensbench run ")]
OTHERS = [line for _, line in COMMANDS if not line.startswith("lensbench run ")]
NO_GPU_HERE = ("--data-parallel", "--engine vllm", "translator=openai")
"""Options of runs that need what this machine has not; those are planned only."""


@pytest.fixture(scope="module")
def world(cli: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with JudgeServer() as judge:
        yield World(tmp_path_factory.mktemp("world"), cli, judge)


def test_the_pages_have_commands() -> None:
    assert len(RUNS) > 20 and len(OTHERS) > 40
    first = {line.split()[1] for _, line in COMMANDS}
    assert first >= {
        "run",
        "judge",
        "fidelity",
        "calibrate",
        "merge",
        "show",
        "compare",
        "report",
        "figure",
        "project",
        "table",
        "results",
        "ls",
        "tasks",
        "import-lm-eval",
        "data",
        "doctor",
    }, "a command is shown nowhere"


def test_runs_are_planned_with_the_core_alone(world: World) -> None:
    commands = [[*world.words(line), "--dry-run"] for line in RUNS]
    done = run_with((), commands, world.home, world.env)
    wrong = []
    for line, one in zip(RUNS, done, strict=True):
        # A judge's client and lm-eval's own task files come with extras.
        extra = "judge" if "--judge" in line else "engines" if "--profile lm-eval" in line else None
        named = extra is not None and f"pip install 'lensbench[{extra}]'" in one.stderr and "Traceback" not in one.stderr
        if one.returncode and not named:
            wrong.append(f"{line}: {one.returncode} {one.stderr}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("about", sorted({line.split()[1] for line in OTHERS}))
def test_other_commands_do_what_they_say(about: str, world: World) -> None:
    world.ready()
    wrong = []
    for line in (line for line in OTHERS if line.split()[1] == about):
        words = world.words(line)
        if "glotlid" in words:
            words[words.index("glotlid")] = "lid176"  # 1.7 GB
        done = world.call(*words)
        if about == "fetch":
            # tests/whole/test_hub_runs.py fetches; here nothing can be had, which is said.
            if done.returncode != 1 or "HF_HUB_OFFLINE is set" not in done.stderr:
                wrong.append(f"{line}: exit code {done.returncode} {done.stderr[-500:]}")
        elif done.returncode or not done.stdout.strip():
            wrong.append(f"{line}: exit code {done.returncode} {done.stderr[-500:]}")
    assert not wrong, "\n".join(wrong)


def test_other_commands_with_the_core_alone(world: World) -> None:
    world.ready()
    wrong = []
    commands = [world.words(line) for line in OTHERS]
    for line, done in zip(OTHERS, run_with((), commands, world.home, world.env), strict=True):
        named = re.search(r"pip install 'lensbench\[(engines|judge|lid|report)\]'", done.stderr)
        offline = line.split()[1] == "fetch" and "HF_HUB_OFFLINE is set" in done.stderr
        if "Traceback" in done.stderr or (done.returncode and not named and not offline):
            wrong.append(f"{line}: exit code {done.returncode} {done.stderr[-500:]}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.slow
@pytest.mark.parametrize("line", [line for line in RUNS if "--dry-run" not in line])
def test_runs_are_carried_out(line: str, world: World, tmp_path: Path) -> None:
    if any(option in line for option in NO_GPU_HERE):
        pytest.skip("needs accelerators, vLLM or an API that this machine has not")
    words = world.words(line)
    if "--limit" in words:
        words[words.index("--limit") + 1] = "2"
    words += [word for word in SMALL if word not in ("--limit", "2") or "--limit" not in words]
    methods = words[words.index("--method") + 1].split(",") if "--method" in words else []
    for name in methods:
        before = f"{name}." if len(methods) > 1 else ""
        few = {"lens": ("n_probe=8", "n_parallel=8", "warmup_ratio=0"), "incline": ("n_pairs=8", "n_dev=4")}.get(
            name, ("preset=small", "warmup_ratio=0")
        )
        words += [part for value in few for part in ("--set", before + value)]
    if "--judge" in words:
        words += ["--base-url", world.judge.url]
    if "--out" not in words:
        words += ["--out", str(tmp_path / "run")]
    done = world.call(*words)
    assert done.returncode == 0, done.stderr
