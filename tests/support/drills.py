"""A run as a process of its own that is killed, and what it left on the disk."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from warm import Forked, Warm


class Drill:
    """The command of every drill; only the run folder differs."""

    def __init__(self, model: Path, data: Path, warm: Warm | None) -> None:
        options: dict[str, Any] = {
            "backbone": model,
            "data": data,
            "method": "lens",
            "languages": "zh",
            "tasks": "xcopa,xwinograd,multiq",
            "profile": "lm-eval",
            "batch-size": 8,
            "device": "cpu",
        }
        settings = {"n_probe": "null", "n_parallel": "null", "batch_size": 1, "epochs": 10, "learning_rate": 0.001}
        self._warm = warm
        self.command = ["run"]
        for name, value in options.items():
            self.command += [f"--{name}", str(value)]
        for name, value in settings.items():
            self.command += ["--set", f"{name}={value}"]
        # Threads that wait for each other on a busy machine make a tiny model hundreds of times slower.
        self.environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
        self.environment.pop("LENSBENCH_DATA", None)

    def start(self, out: Path, *more: str, log: Path | None = None, cold: bool = False, **limits: int) -> Start:
        """Begin.

        Args:
            log: Where stderr goes; beside the run folder by default.
            cold: A process started from nothing; others are forked, and have another seed of string hashes.
            limits: See `Warm.start`.
        """
        return Start([*self.command, "--out", str(out), *more], self.environment, out, log, None if cold else self._warm, limits)

    def finish(self, out: Path, *more: str, cold: bool = False, **limits: int) -> Start:
        start = self.start(out, *more, cold=cold, **limits)
        start.wait()
        return start


class Start:
    """One process of a drill."""

    process: subprocess.Popen[bytes] | Forked

    def __init__(
        self, args: list[str], env: dict[str, str], out: Path, log: Path | None, warm: Warm | None, limits: dict[str, int]
    ) -> None:
        self.out = out
        self._log = log or out.parent / f"{out.name}.{time.monotonic_ns()}.stderr"

        def prepare() -> None:
            # A test runner in the background of a script ignores Ctrl-C, and its children would inherit that.
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            for name, value in limits.items():
                resource.setrlimit(getattr(resource, name), (value, value))

        with self._log.open("w") as stderr, Path(os.devnull).open("w") as nowhere:
            if warm is not None and warm.can_run(env):
                self.process = warm.start(args, env, nowhere, stderr, **limits)
            else:
                command = [sys.executable, "-m", "lensbench", *args]
                self.process = subprocess.Popen(command, env=env, stdout=nowhere, stderr=stderr, preexec_fn=prepare)

    @property
    def stderr(self) -> str:
        return self._log.read_text(encoding="utf-8")

    def until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 300
        while not condition():
            assert self.process.poll() is None, f"ended too early with {self.process.returncode}:\n{self.stderr}"
            assert time.monotonic() < deadline, f"never got there:\n{self.stderr}"
            time.sleep(0.0005)

    def stop(self, number: signal.Signals) -> int:
        """Send a signal while the process is at work; its exit code."""
        assert self.process.poll() is None, "the process had ended before the signal"
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        return self.process.wait(timeout=500)

    def probed(self) -> bool:
        """Training begins with the line after this one."""
        return "probing 2 languages" in self.stderr

    def lines(self, stage: str) -> list[bytes]:
        return finished_lines(self.out, stage)


def finished_lines(out: Path, stage: str) -> list[bytes]:
    path = out / "items" / f"{stage}.jsonl"
    return [line for line in path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")] if path.is_file() else []
