"""What a run is: every choice that can change its numbers, resolved and written down before anything starts."""

from __future__ import annotations

import hashlib
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from lensbench.languages import CENTRAL

__all__ = ["RunSpec", "TaskChoice", "differences"]


class TaskChoice(BaseModel):
    """One task in one language under one profile, as planned."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    task: str
    language: str
    profile: str
    protocol: str
    """Hash of how items are asked and scored."""
    rows: str | None
    """Row definition that serves it; None when the task names its own data set."""


class RunSpec(BaseModel):
    """The resolved specification of a run; two runs with equal specs ask the same questions of the same models."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    lensbench: str
    """Version of the package."""
    method: str | None
    method_config: dict[str, Any] = Field(default_factory=dict)
    backbone: str
    languages: tuple[str, ...]
    """Target languages; the central language is always there too."""
    profile: str
    tasks: tuple[TaskChoice, ...]
    data: str
    """"hub", "embedded" or a folder."""
    include: tuple[str, ...] = ()
    limit: int | None = None
    num_fewshot: int | None = None
    max_new_tokens: int | None = None
    """Cut of generated answers, where it is not the profile's own."""
    batch_size: int = 16
    device: str = "auto"
    dtype: str = "auto"
    seed: int = 42

    @property
    def all_languages(self) -> tuple[str, ...]:
        return (CENTRAL, *self.languages)

    @property
    def digest(self) -> str:
        """10 hex digits that stand for the spec."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:10]


def differences(old: dict[str, Any], new: dict[str, Any], prefix: str = "") -> list[str]:
    """The fields in which two specs differ, one line each."""
    lines = []
    for key in sorted({*old, *new}):
        before, now = old.get(key), new.get(key)
        if before == now:
            continue
        if isinstance(before, dict) and isinstance(now, dict):
            lines += differences(before, now, f"{prefix}{key}.")
        elif key == "tasks":
            lines += _task_differences(before or [], now or [])
        else:
            lines.append(f"{prefix}{key}: {before!r} there, {now!r} here")
    return lines


def _task_differences(before: list[dict[str, Any]], now: list[dict[str, Any]]) -> list[str]:
    def named(tasks: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
        return {(t["task"], t["language"]): t for t in tasks}

    old, new = named(before), named(now)
    lines = [f"task {t} in {language}: there only" for t, language in old if (t, language) not in new]
    lines += [f"task {t} in {language}: here only" for t, language in new if (t, language) not in old]
    for key in old.keys() & new.keys():
        lines += differences(old[key], new[key], f"task {key[0]} in {key[1]}, ")
    return lines
