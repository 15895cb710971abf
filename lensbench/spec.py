"""The spec of a run: every setting that can change its numbers, resolved and saved before anything starts."""

from __future__ import annotations

import hashlib

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer, model_validator
from pydantic_core import PydanticSerializationError

from lensbench.errors import unknown_name
from lensbench.jsonio import JsonObject, json_text
from lensbench.languages import CENTRAL

__all__ = ["BASE", "ExternalChoice", "RunSpec", "TaskChoice", "VariantChoice", "differences"]

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
    development: str | None = None
    """Split whose items are asked too and only choose a setting; None: no further items are asked."""

    @model_serializer(mode="wrap")
    def _as_before(self, serialise: SerializerFunctionWrapHandler) -> JsonObject:
        content: JsonObject = serialise(self)
        if self.development is None:
            del content["development"]
        return content


class VariantChoice(BaseModel):
    """One variant that a method makes, as planned.

    Attributes:
        name: What tables call it. Two variants of one run never share a name.
        method: The method that is fitted.
        config: The whole configuration of the fit, its seed included.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = ""
    method: str
    config: JsonObject = Field(default_factory=dict)

    @model_validator(mode="after")
    def _named(self) -> VariantChoice:
        """A variant without a name of its own has its method's, as all had before a run could hold two of one method."""
        if not self.name:
            object.__setattr__(self, "name", self.method)
        return self

    @model_serializer(mode="wrap")
    def _as_before(self, serialise: SerializerFunctionWrapHandler) -> JsonObject:
        content: JsonObject = serialise(self)
        if self.name == self.method:
            del content["name"]
        return content

    @property
    def seed(self) -> int | None:
        """Seed of sampling and training; None of a method that has none."""
        seed = self.config.get("seed")
        return seed if isinstance(seed, int) else None


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
    variants: tuple[VariantChoice, ...] = Field(default=(), validation_alias=AliasChoices("variants", "methods"))
    """What is fitted. In `run.json` the list is called `methods` and leaves out names that are the method's own: the folder names
    of such runs hold a hash of it, and the same command must go on with the run it began."""
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
        """Short description of what is compared with the backbone."""
        return "+".join(self.variant_names) or "base only"

    @property
    def variant_names(self) -> tuple[str, ...]:
        """All variants but the untouched backbone: what is fitted, then other checkpoints."""
        return (*(choice.name for choice in self.variants), *(choice.variant for choice in self.externals))

    def fitted(self, name: str) -> VariantChoice:
        """The fitted variant of a name.

        Raises:
            UsageError: the run has none; names the nearest.
        """
        found = next((choice for choice in self.variants if choice.name == name), None)
        if found is None:
            raise unknown_name("variant", name, [choice.name for choice in self.variants])
        return found

    @property
    def all_languages(self) -> tuple[str, ...]:
        """The languages in which items are asked."""
        return (CENTRAL, *self.languages) if self.english else self.languages

    @model_serializer(mode="wrap")
    def _as_before(self, serialise: SerializerFunctionWrapHandler) -> JsonObject:
        """JSON without fields that have their default, so that equal runs keep their names."""
        content: JsonObject = serialise(self)
        if self.english:
            del content["english"]
        return {"methods" if key == "variants" else key: value for key, value in content.items()}

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


def differences(old: JsonObject, new: JsonObject, prefix: str = "") -> list[str]:
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
            lines += _named_differences("variant", ("name",), _with_names(before or []), _with_names(now or []))
        elif key == "externals":
            lines += _named_differences("variant", ("variant",), before or [], now or [])
        else:
            lines.append(f"{prefix}{key}: {before!r} there, {now!r} here")
    return lines


def _with_names(entries: list[JsonObject]) -> list[JsonObject]:
    return [{**entry, "name": entry.get("name", entry["method"])} for entry in entries]


def _named_differences(kind: str, key: tuple[str, ...], before: list[JsonObject], now: list[JsonObject]) -> list[str]:
    """Differences of two lists whose entries have names."""

    def named(entries: list[JsonObject]) -> dict[str, JsonObject]:
        return {" in ".join(entry[part] for part in key): entry for entry in entries}

    old, new = named(before), named(now)
    lines = [f"{kind} {name}: there only" for name in old if name not in new]
    lines += [f"{kind} {name}: here only" for name in new if name not in old]
    for name in old:
        if name in new:
            lines += differences(old[name], new[name], f"{kind} {name}, ")
    return lines
