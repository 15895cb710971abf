"""The wheel, installed for real: with pip, into environments of their own, by each Python that is supported."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from each_command import command_names, needs, problem_of, words
from installed_only import ROOT, distributions

pytestmark = pytest.mark.slow
CONSTRAINTS = ROOT / "constraints.txt"


def python_of(version: str) -> str:
    """An interpreter of a version such as 3.12; the test is skipped where this machine has none."""
    found = [shutil.which(f"python{version}"), *sorted((Path.home() / ".pyenv" / "versions").glob(f"{version}*/bin/python"))]
    for candidate in map(str, filter(None, found)):
        asked = subprocess.run([candidate, "-c", "import sys, venv; print(*sys.version_info[:2], sep='.')"], capture_output=True)
        if asked.stdout.decode().strip() == version:
            return candidate
    pytest.skip(f"this machine has no Python {version}")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, ROOT)
    (path,) = folder.glob("lensbench-*.whl")
    return path


def pip(*arguments: str | Path, python: Path | str = sys.executable) -> str:
    command = [str(python), "-m", "pip", "--disable-pip-version-check", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env=clean_environment())
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def clean_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "LENSBENCH_"))}


def install(wheel: Path, extras: str, folder: Path, python: str = sys.executable) -> Path:
    """A virtual environment with the wheel; returns its interpreter."""
    subprocess.run([python, "-m", "venv", str(folder)], check=True, env=clean_environment())
    inside = folder / "bin" / "python"
    pip("install", "--quiet", "--constraint", CONSTRAINTS, f"{wheel}{extras}", python=inside)
    return inside


def call(python: Path, *arguments: str, cwd: Path, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    # Its own console script, from a folder that is not the repository's.
    command = [str(python.parent / "lensbench"), *arguments]
    environment = {**clean_environment(), "HF_HUB_OFFLINE": "1", **(env or {})}
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environment, timeout=300)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, cli: Callable[..., Any], tiny_model_dir: Path) -> dict[str, str]:
    from each_command import make_runs

    return make_runs(tmp_path_factory.mktemp("ready"), cli, tiny_model_dir)


@pytest.mark.parametrize("extra", ["", "judge", "lid", "report"], ids=lambda extra: extra or "core")
def test_an_installation_of_the_wheel(extra: str, wheel: Path, runs: dict[str, str], tmp_path: Path) -> None:
    extras = {extra} - {""}
    python = install(wheel, f"[{extra}]" if extra else "", tmp_path / "venv")
    assert pip("check", python=python).strip() == "No broken requirements found."
    listed = {line.partition("==")[0].lower().replace("_", "-") for line in pip("freeze", python=python).splitlines()}
    listed = {name.partition(" @")[0] for name in listed}
    assert listed == distributions(extras), "what tests/support/installed_only.py takes for installed is not what pip installs"
    wrong = []
    env = {"LENSBENCH_CACHE": str(tmp_path / "cache"), "OPENAI_API_KEY": "k"}
    for number, (line, lacks) in enumerate(needs()):
        done = call(python, *words(line, runs, tmp_path / f"out{number}"), cwd=tmp_path, env=env)
        problem = problem_of(done, lacks - extras)
        if problem:
            wrong.append(f"{line}: {problem}: exit code {done.returncode}\n{done.stderr[-600:]}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("version", ["3.12", "3.13"])
def test_newer_pythons(version: str, wheel: Path, tmp_path: Path) -> None:
    python = install(wheel, "[judge,lid,report]", tmp_path / "venv", python_of(version))
    assert pip("check", python=python).strip() == "No broken requirements found."
    for names in command_names():
        done = call(python, *names, "--help", cwd=tmp_path)
        assert done.returncode == 0 and done.stdout.startswith("Usage"), done.stderr
    for line in ("ls methods", "ls tasks --json", "ls languages", "run --method lens --backbone llama3-8b --dry-run"):
        done = call(python, *line.split(), cwd=tmp_path)
        assert done.returncode == 0 and done.stdout, done.stderr
