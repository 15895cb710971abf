"""What a user asks of a run, before any name is looked up."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lensbench.engines.registry import DEFAULT as DEFAULT_ENGINE

__all__ = ["RunRequest"]


@dataclass(frozen=True)
class RunRequest:
    """What a user asked for, before names are looked up."""

    backbone: str
    methods: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()
    """Other checkpoints, `NAME=SHORT|HUB|PATH` or a short name by itself."""
    languages: tuple[str, ...] = ("zh",)
    tasks: tuple[str, ...] | None = None
    profile: str = "lens-paper"
    data: str | None = None
    include: tuple[Path, ...] = ()
    config_file: Path | None = None
    overrides: tuple[str, ...] = ()
    limit: int | None = None
    num_fewshot: int | None = None
    max_new_tokens: int | None = None
    batch_size: int = 16
    engine: str = DEFAULT_ENGINE
    device: str = "auto"
    dtype: str = "auto"
    seed: int = 42
    trust_tasks: bool = False
    """Whether `!function` in task YAML may run."""
    trust_model: bool = False
    """Whether Python code of models given as folder or hub id may run."""
    system: str | None = None
    """System text of models given as folder or hub id."""
    english: bool = True
    """Whether items are asked in the central language too."""
    revision: str | None = None
