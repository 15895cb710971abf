"""A user's request for a run, before any name is looked up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lensbench.engines.registry import DEFAULT as DEFAULT_ENGINE

__all__ = ["RunRequest", "VariantRequest"]


@dataclass(frozen=True)
class VariantRequest:
    """One variant that a user asked for: what a method makes with settings of its own, or another checkpoint.

    Attributes:
        name: None: made from the settings in which it differs; of a checkpoint, its short name.
        method: What is fitted; None of a checkpoint.
        settings: Key -> value, over what the method has in this run. A key may have dots (`push_strength.zh`).
        checkpoint: Short name, hub id or folder; None of a fitted variant.
        text: How the user wrote it, for messages.
        swept: Keys of settings that a sweep sets: they stand in the name also where they have the method's own value.
    """

    name: str | None = None
    method: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    checkpoint: str | None = None
    text: str = ""
    swept: tuple[str, ...] = ()

    @property
    def shown(self) -> str:
        if self.text:
            return self.text
        what = self.checkpoint or f"{self.method}:" + ",".join(f"{key}={value}" for key, value in self.settings.items())
        return f"{self.name}={what}" if self.name else what


@dataclass(frozen=True)
class RunRequest:
    """A user's request, before names are looked up."""

    backbone: str
    methods: tuple[str, ...] = ()
    """Methods that are fitted with the settings they have in this run; each makes a variant of its own name."""
    variants: tuple[str | VariantRequest, ...] = ()
    """Further variants. As text (lensbench/plan/variant_text.py): `[NAME=]METHOD:key=value,key=value`, or another checkpoint,
    `NAME=SHORT|HUB|PATH` or a short name by itself."""
    sweep: tuple[Mapping[str, tuple[Any, ...]], ...] = ()
    """Grids of settings (lensbench/plan/sweep.py): `METHOD.KEY` -> values. They replace the variant with the method's own
    settings."""
    seeds: tuple[int, ...] | None = None
    """Every fitted variant once with each; None: with the seed that it has."""
    pick: str | None = None
    """Rule by which a setting of each method is chosen (lensbench/numbers/picking/rule.py); None: nothing is chosen."""
    yes: bool = False
    """Whether a sweep of very many variants is wanted."""
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
    """Whether items are also asked in the central language."""
    revision: str | None = None
