"""Weights & Biases: server, key and mode are those of its own environment variables (`WANDB_MODE=offline` sends nothing)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lensbench.trackers.protocol import PROJECT

__all__ = ["Wandb"]


class Wandb:
    """A run of W&B. It records neither the program's output nor its code."""

    def __init__(self) -> None:
        import wandb

        self._wandb = wandb
        self._run: Any = None

    def start(self, name: str, options: Mapping[str, str]) -> None:
        settings = self._wandb.Settings(console="off", save_code=False, disable_git=True, silent=True)
        self._run = self._wandb.init(project=PROJECT, name=name, config=dict(options), settings=settings)

    def numbers(self, values: Mapping[str, float], step: int | None = None) -> None:
        self._run.log(dict(values))

    def file(self, path: Path) -> None:
        # A copy: a link would show whatever the file becomes later.
        artifact = self._wandb.Artifact(path.name.replace(".", "-"), type="lensbench")
        artifact.add_file(str(path))
        self._run.log_artifact(artifact)

    def finish(self, failed: bool) -> None:
        self._run.finish(exit_code=1 if failed else 0)
