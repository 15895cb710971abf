"""What a run is: every choice that can change its numbers, resolved and written down before anything starts."""

from __future__ import annotations

import hashlib
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer
from pydantic_core import PydanticSerializationError

from lensbench.jsonio import json_text
from lensbench.languages import CENTRAL

__all__ = ["BASE", "ExternalChoice", "MethodChoice", "RunSpec", "TaskChoice", "differences"]

BASE = "base"
"""The name of the variant that is the untouched backbone."""


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


class MethodChoice(BaseModel):
    """One method that is fitted, as planned; its variant has the method's name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: str
    config: dict[str, Any] = Field(default_factory=dict)


class ExternalChoice(BaseModel):
    """Another checkpoint that is scored beside the backbone, as planned."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    variant: str
    """The name it has in tables."""
    backbone: str
    """Short name, hub id or folder."""


class RunSpec(BaseModel):
    """The resolved specification of a run; two runs with equal specs ask the same questions of the same models."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    lensbench: str
    """Version of the package."""
    methods: tuple[MethodChoice, ...] = ()
    externals: tuple[ExternalChoice, ...] = ()
    backbone: str
    languages: tuple[str, ...]
    """Target languages."""
    english: bool = True
    """Whether items are asked in the central language too; methods learn from it in any case."""
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
    engine: str = "tree"
    """What computes log-likelihoods: "tree", "reference" or "vllm"; the last generates answers too."""
    device: str = "auto"
    dtype: str = "auto"
    seed: int = 42
    system: str | None = None
    """System text of models given as folder or hub id; None sends no system message."""

    @property
    def title(self) -> str:
        """What is compared with the backbone, in one word."""
        names = [choice.method for choice in self.methods] + [choice.variant for choice in self.externals]
        return "+".join(names) or "base only"

    @property
    def all_languages(self) -> tuple[str, ...]:
        """The languages in which items are asked."""
        return (CENTRAL, *self.languages) if self.english else self.languages

    @model_serializer(mode="wrap")
    def _as_before(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """What is as it always was is left out, so that equal runs keep their names."""
        content: dict[str, Any] = serialise(self)
        if self.english:
            del content["english"]
        return content

    @property
    def digest(self) -> str:
        """10 hex digits that stand for the spec."""
        # A field that came later leaves the names of folders without it as they were.
        left_out = {"system"} if self.system is None else set()
        try:
            content = self.model_dump_json(exclude=left_out).encode()
        except PydanticSerializationError:
            # A lone surrogate, in the name of a stranger's model.
            content = json_text(self.model_dump(mode="json", exclude=left_out)).encode("utf-8", "surrogatepass")
        return hashlib.sha256(content).hexdigest()[:10]


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
            lines += _named_differences("task", ("task", "language"), before or [], now or [])
        elif key == "methods":
            lines += _named_differences("method", ("method",), before or [], now or [])
        elif key == "externals":
            lines += _named_differences("variant", ("variant",), before or [], now or [])
        else:
            lines.append(f"{prefix}{key}: {before!r} there, {now!r} here")
    return lines


def _named_differences(kind: str, key: tuple[str, ...], before: list[dict[str, Any]], now: list[dict[str, Any]]) -> list[str]:
    """Differences of two lists whose entries have names."""

    def named(entries: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
        return {" in ".join(entry[part] for part in key): entry for entry in entries}

    old, new = named(before), named(now)
    lines = [f"{kind} {name}: there only" for name in old if name not in new]
    lines += [f"{kind} {name}: here only" for name in new if name not in old]
    for name in old:
        if name in new:
            lines += differences(old[name], new[name], f"{kind} {name}, ")
    return lines
