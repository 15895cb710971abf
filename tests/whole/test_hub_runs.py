"""README's commands against a stand-in for the hub, from an empty cache; and again without a network."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hub_layouts as layouts
import pytest
from conftest import Cli, save_tiny_model
from hub_server import HubServer
from judge_server import JudgeServer

from lensbench.backbones import get_backbone

ROOT = Path(__file__).parents[2]
LLAMA = "meta-llama/Meta-Llama-3-8B-Instruct"
SMALL = (
    "--set",
    "start_layer=3",
    "--set",
    "n_probe=16",
    "--set",
    "n_parallel=24",
    "--limit",
    "2",
    "--identifier",
    "lid176",
    "--max-new-tokens",
    "8",
)


def tiny_models(folder: Path, layers: int) -> dict[str, Path]:
    """Random models under the true names."""
    other = get_backbone("chinese-llama3-8b-v3").hub
    assert get_backbone("llama3-8b").hub == LLAMA and other
    names = enumerate((LLAMA, other))
    return {name: save_tiny_model(folder / str(seed), layers=layers, hidden=16, seed=seed) for seed, name in names}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return tiny_models(tmp_path_factory.mktemp("models"), 4)


@pytest.fixture
def hub(models: dict[str, Path]) -> Iterator[HubServer]:
    with layouts.stand_in(models) as server:
        yield server


def variables(hub: HubServer, home: Path, **more: str) -> dict[str, str]:
    """A user's: an empty cache of their own, and a hub."""
    found = {"HF_ENDPOINT": hub.url, "HF_HOME": str(home), "HF_HUB_OFFLINE": "0", "LENSBENCH_CACHE": str(home / "lensbench")}
    return found | {"OPENAI_API_KEY": "sk-of-a-test"} | more


def values(out: Path) -> dict[tuple[str, ...], Any]:
    cells = json.loads((out / "results.json").read_text(encoding="utf-8"))["cells"]
    return {tuple(cell[key] for key in ("task", "language", "variant", "metric")): cell["value"] for cell in cells}


def test_the_main_command_with_a_judge_and_then_offline(hub, cli: Cli, tmp_path):
    with JudgeServer() as judge:
        tasks = ("--tasks", "xcopa,xwinograd,xstory_cloze,m_mmlu,multiq,mt_bench", "--judge", "gpt-4o", "--max-usd", "5")
        command = [
            "run",
            "--method",
            "lens",
            "--backbone",
            "llama3-8b",
            "--languages",
            "zh,ja",
            *tasks,
            *SMALL,
            "--base-url",
            judge.url,
        ]
        first = cli(*command, "--out", tmp_path / "online", env=variables(hub, tmp_path / "hf"))
        assert first.returncode == 0, first.stderr
        found = values(tmp_path / "online")
        assert {task for task, *_ in found} == {"xcopa", "xwinograd", "xstory_cloze", "m_mmlu", "multiq", "mt_bench"}
        # Two languages, questions and turns; equal answers of two variants are graded once.
        assert len(judge.completed) >= 2 * 2 * 2
        # Neither scripts nor pickled weights nor another split.
        assert not [path for path in hub.fetched() if path.endswith((".py", ".pth")) or "/validation" in path or "/val/" in path]
        before = len(hub.asked)
        again = cli(*command, "--out", tmp_path / "offline", env=variables(hub, tmp_path / "hf", HF_HUB_OFFLINE="1"))
        assert again.returncode == 0, again.stderr
    assert len(hub.asked) == before
    assert values(tmp_path / "offline") == found
    for name in ("online", "offline"):
        run = json.loads((tmp_path / name / "run.json").read_text(encoding="utf-8"))
        commits = {key: value for key, value in run["pinned"].items() if key.startswith("rows:")}
        assert {"rows:aya", "rows:bactrian_x", "rows:xcopa", "rows:mt_bench_prompts"} <= set(commits)
        assert all(re.fullmatch("[0-9a-f]{40}", commit) for commit in commits.values())


def test_a_dry_run_looks_and_fetch_brings_it(hub, cli: Cli, tmp_path):
    run = ["--method", "lens", "--backbone", "llama3-8b"]
    env = variables(hub, tmp_path / "hf", LENSBENCH_HUB_TRIES="1")
    looked = cli("run", *run, "--dry-run", "--json", env=env)
    assert looked.returncode == 0, looked.stderr
    needs = {need["what"]: need for need in json.loads(looked.stdout)["needs"]}
    # The tasks' rows, and what LENS says that it reads.
    assert {"xcopa/zh test", "xstory_cloze/en eval", "aya/zh train", "bactrian_x/en train", "model llama3-8b"} <= set(needs)
    assert all(
        need["problem"] is None and need["bytes"] > 0 and need["here"] == 0 and not need["pinned"] for need in needs.values()
    )
    assert {path.rsplit("/", 1)[-1] for path in hub.fetched()} == {"README.md"}

    fetched = cli("fetch", *run, env=env)
    assert fetched.returncode == 0, fetched.stderr
    assert "not pinned by their definitions: CohereLabs/aya_dataset" in fetched.stdout and "are here" in fetched.stdout
    before = len(hub.asked)
    offline = cli("run", *run, "--dry-run", "--json", env={**env, "HF_HUB_OFFLINE": "1"})
    assert offline.returncode == 0 and len(hub.asked) == before
    assert all(need["here"] == need["bytes"] for need in json.loads(offline.stdout)["needs"])


def test_a_dry_run_is_refused_where_a_run_would_be(hub, cli: Cli, tmp_path):
    hub.repositories.pop(("dataset", "MBZUAI/Bactrian-X"))
    hub.repositories["model", LLAMA].gated = True
    env = variables(hub, tmp_path / "hf")
    for command in (["run", "--dry-run"], ["fetch"]):
        done = cli(*command, "--method", "lens", "--backbone", "llama3-8b", env=env)
        assert done.returncode == 1
        assert "MBZUAI/Bactrian-X" in done.stdout and "not there" in done.stdout and "gated" in done.stdout
        assert "not available" in done.stderr
    # A hub out of reach at this moment refuses no plan.
    silent = cli(
        "run", "--dry-run", "--method", "lens", "--backbone", "llama3-8b", env={**env, "HF_ENDPOINT": "http://127.0.0.1:9"}
    )
    assert silent.returncode == 0 and "unreachable" in silent.stdout


def readme_lines() -> list[str]:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    found = [line.split("#")[0].strip() for line in text.splitlines() if line.startswith("lensbench run")]
    return [line for line in found if "llama3-8b" in line]


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("number", range(7))
def test_every_run_line_of_the_readme(tmp_path, number):
    lines = readme_lines()
    assert len(lines) == 7
    # As many blocks as the real ones have: presets name the last of them.
    models = tiny_models(tmp_path / "models", 32)
    with JudgeServer() as judge, layouts.stand_in(models) as hub:
        words = [*shlex.split(lines[number])[1:], "--limit", "2"]
        if "mt_bench" in words:
            words += ["--base-url", judge.url]
            # No set on the hub has MT-Bench in Chinese, the default language.
            words += [] if "--languages" in words else ["--languages", "ja,ko"]
        words = [word.replace("path/to/model", str(models[LLAMA])) for word in words]
        if "lens,xsft,qalign" in words:
            # What the rivals learn from takes a processor ten minutes; a part of it goes the same way.
            for value in ("lens.n_parallel=24", "xsft.n_aya=16", "xsft.n_bactrian=16", "qalign.n_pairs=16"):
                words += ["--set", value]
        if "--data-parallel" in words:
            # Four ranks of a tiny model say no more than two, and take four times the memory.
            words[words.index("--data-parallel") + 1] = "2"
        env = {**os.environ, **variables(hub, tmp_path / "hf"), "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [sys.executable, "-m", "lensbench", *words, *([] if "--dry-run" in words else ["--out", str(tmp_path / "run")])],
            capture_output=True,
            text=True,
            env=env,
            cwd=tmp_path,
            check=False,
        )
    assert done.returncode == 0, done.stderr[-3000:]
    print(f"{lines[number]}: {len(hub.asked)} requests, {hub.bytes_sent:,} bytes")
