"""Trackers: the real ones, read back through their own readers, and one that fails."""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import lensbench as lb
from lensbench.progress import SilentProgress
from lensbench.trackers import TRACKERS, open_tracker, tracked
from lensbench.trackers.content import numbers_of, options_of

REQUIRED = os.environ.get("LENSBENCH_REQUIRE_TRACKERS")
CHOICES: dict[str, Any] = {"languages": ["zh"], "tasks": ["xcopa"], "data": "embedded", "limit": 3}
KEY = "sk-not-to-be-sent-1234567890"


def needed(package: str) -> None:
    """Skip where a tracker is not installed, unless this test run promises it."""
    if not REQUIRED:
        pytest.importorskip(package, reason=f"{package} is not installed: `make test-trackers` installs it")


@pytest.fixture
def run(tiny_model_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A small run with a tracker; the environment holds a key."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)

    def go(tracker: str) -> lb.Run:
        settings = ["n_probe=8", "n_parallel=16", "warmup_ratio=0"]
        progress = SilentProgress()
        done = lb.evaluate(
            tiny_model_dir,
            methods=["lens"],
            overrides=settings,
            out=tmp_path / "run",
            tracker=tracker,
            progress=progress,
            **CHOICES,
        )
        assert not [note for note in progress.notes if "tracker" in note], progress.notes
        return done

    return go


def expected(run: lb.Run) -> dict[str, float]:
    """Straight from the file, without the package's own selection."""
    results = json.loads((run.folder / "results.json").read_text(encoding="utf-8"))
    (average,) = [a for a in results["averages"] if a["role"] == "endpoint" and a["variant"] == "lens"]
    return {name: average[name] for name in ("value", "low", "high", "delta", "delta_low", "delta_high")}


@pytest.mark.slow
def test_mlflow_has_the_run(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needed("mlflow")
    from mlflow import MlflowClient

    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"file://{tmp_path / 'store'}")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    done = run("mlflow")
    client = MlflowClient()
    experiment = client.get_experiment_by_name("lensbench")
    assert experiment is not None
    (found,) = client.search_runs([experiment.experiment_id])
    assert found.info.status == "FINISHED" and found.info.run_name == "run"
    assert found.data.params["seed"] == "42" and found.data.params["lens/n_probe"] == "8"
    for name, value in expected(done).items():
        (key,) = [key for key in found.data.metrics if key.startswith("lens/") and key.endswith(f"/acc/{name}")]
        assert found.data.metrics[key] == pytest.approx(value)
    assert found.data.metrics["lens/cost/wall_seconds"] > 0
    assert [value for key, value in found.data.metrics.items() if key.startswith("progress/")]
    names = {file.path for file in client.list_artifacts(found.info.run_id)}
    assert {"results.json", "report.html", "report.md", "run.json"} <= names
    assert not leaks(tmp_path / "store")


@pytest.mark.slow
def test_trackio_has_the_run(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "store"))
    needed("trackio")
    done = run("trackio")
    assert not capsys.readouterr().out, "what it prints would stand among the results of `run --json`"
    (database,) = [file for file in (tmp_path / "store").rglob("*.db") if file.name.startswith("lensbench")]
    with sqlite3.connect(database) as store:
        stored = {
            key: value for (text,) in store.execute("SELECT metrics FROM metrics") for key, value in json.loads(text).items()
        }
        configuration = str(store.execute("SELECT * FROM configs").fetchall())
    for name, value in expected(done).items():
        (key,) = [key for key in stored if key.startswith("lens/") and key.endswith(f"/acc/{name}")]
        assert stored[key] == pytest.approx(value)
    assert stored["lens/cost/wall_seconds"] > 0 and [key for key in stored if key.startswith("progress/")]
    assert "n_probe" in configuration and not leaks(tmp_path / "store")


@pytest.mark.slow
def test_wandb_has_the_run_offline(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needed("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path / "store"))
    (tmp_path / "store").mkdir()
    run("wandb")
    (file,) = (tmp_path / "store").rglob("*.wandb")
    # Its service writes the file in a process of its own, and may still be at it.
    deadline = time.monotonic() + 60
    while b"lens/cost/wall_seconds" not in file.read_bytes() and time.monotonic() < deadline:
        time.sleep(0.2)
    content = file.read_bytes()
    assert b"lens/cost/wall_seconds" in content and b"/acc/delta_low" in content and b"progress/" in content
    assert not leaks(tmp_path / "store")


def leaks(folder: Path) -> list[Path]:
    """Files that hold the key."""
    return [path for path in folder.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]


class Failing:
    """Fails at one of its methods."""

    def __init__(self, where: str) -> None:
        self._where = where

    def _do(self, name: str) -> None:
        if name == self._where:
            raise ConnectionError("no server\nat all")

    def start(self, name: str, options: Mapping[str, str]) -> None:
        self._do("start")

    def numbers(self, values: Mapping[str, float], step: int | None = None) -> None:
        self._do("numbers")

    def file(self, path: Path) -> None:
        self._do("file")

    def finish(self, failed: bool) -> None:
        self._do("finish")


@pytest.mark.parametrize("where", ["start", "numbers", "file", "finish"])
def test_one_that_fails_is_said_once_and_ends_nothing(where: str, tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text("{}")
    progress = SilentProgress()
    with tracked(Failing(where), {"seed": 1}, tmp_path, progress) as heard:
        for _ in range(2):
            with heard.stage("scoring", 3) as advance:
                for _ in range(3):
                    advance(1)
    told = [note for note in progress.notes if "tracker failed" in note]
    assert told == ["! the tracker failed, and the run goes on without it: ConnectionError: no server"]


def test_the_error_of_a_run_is_not_hidden_by_that_of_its_tracker(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="mine"), tracked(Failing("finish"), {}, tmp_path, SilentProgress()):
        raise KeyError("mine")


def test_options_leave_out_what_is_called_like_a_key() -> None:
    spec = {
        "seed": 1,
        "methods": [{"name": "lens[rank=1]", "method": "lens", "config": {"rank": 1, "api_key": KEY, "push": {"zh": 0.5}}}],
        "tasks": [{"task": "xcopa", "profile": "lm-eval"}, {"task": "xcopa", "profile": "lm-eval"}],
    }
    assert options_of(spec) == {"seed": "1", "lens-rank-1/rank": "1", "lens-rank-1/push.zh": "0.5", "tasks": "xcopa@lm-eval"}


def test_numbers_that_are_not_there_are_left_out() -> None:
    average = {"role": "endpoint", "variant": "lens", "over": "targets", "metric": "acc", "value": 0.5, "low": None, "high": 0.75}
    results = {"averages": [average, {**average, "role": "other"}], "costs": {"lens": {"wall_seconds": 2, "peak_bytes": None}}}
    assert numbers_of(results) == {"lens/targets/acc/value": 0.5, "lens/targets/acc/high": 0.75, "lens/cost/wall_seconds": 2.0}


def test_an_unknown_tracker_is_refused_with_the_nearest() -> None:
    with pytest.raises(lb.UsageError, match="unknown tracker 'mlflw'\n  Did you mean 'mlflow'"):
        lb.plan_run("smollm2-135m", tracker="mlflw", **CHOICES)


@pytest.mark.parametrize("name", TRACKERS)
def test_one_that_is_not_installed_names_its_extra(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    sys.modules.pop(f"lensbench.trackers.to_{name}", None)
    with pytest.raises(lb.UnavailableError, match=rf"pip install .*lensbench\[{name}\]"):
        open_tracker(name)
