"""A run as a file: everything that a run takes, in one YAML."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from lensbench.errors import UsageError
from lensbench.jsonio import JsonObject
from lensbench.plan.request import VariantRequest
from lensbench.yamlio import Document, read_yaml, validated

__all__ = ["FORMAT", "RunFile", "VariantEntry", "read_run_file"]

FORMAT = 1
"""Version of the keys; a later one may give a key another meaning."""

_COMMAND_ONLY = {
    "trust_tasks": ("it lets code of task files run", "Give ``trust_tasks=True``"),
    "trust_model": ("it lets code of a model run", "Give ``trust_model=True``"),
    "base_url": ("it decides who receives your key", "Give ``base_url``"),
    "yes": ("it confirms a large sweep", "Give ``yes=True``"),
    "resume": ("a run that exists goes on in any case", "Leave it out, or give ``resume=True``"),
}
"""Keys that are not read from a file, which may come from a stranger, with the reason and what to do."""

_STRICT = ConfigDict(extra="forbid", frozen=True, strict=True)


class VariantEntry(BaseModel):
    """One variant: a line as the command line takes it, or a mapping."""

    model_config = _STRICT

    text: str | None = None
    name: str | None = None
    method: str | None = None
    settings: dict[str, Any] = Field(default_factory=dict)
    checkpoint: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _line(cls, value: Any) -> Any:
        return {"text": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_kind(self) -> VariantEntry:
        if self.text is None and (self.method is None) == (self.checkpoint is None):
            raise ValueError("a variant has either a method or a checkpoint")
        return self

    def request(self) -> str | VariantRequest:
        """The variant as a request has it."""
        if self.text is not None:
            return self.text
        if self.checkpoint is not None:
            return f"{self.name}={self.checkpoint}" if self.name else self.checkpoint
        return VariantRequest(self.name, self.method, self.settings)


class RunFile(BaseModel):
    """The keys of a run file. They have the names and the meaning of the arguments of `evaluate`."""

    model_config = _STRICT

    format: int = FORMAT
    backbone: str | list[str] | None = None
    methods: list[str] | None = None
    variants: list[VariantEntry] | None = None
    sweep: dict[str, list[Any]] | list[dict[str, list[Any]]] | None = None
    seeds: list[int] | None = None
    pick: bool | str | dict[str, Any] | None = None
    languages: list[str] | None = None
    english: bool | None = None
    tasks: list[str] | None = None
    profile: str | None = None
    data: str | None = None
    include: list[str] | None = None
    config: dict[str, Any] | None = None
    overrides: list[str] | None = None
    limit: int | None = None
    num_fewshot: int | None = None
    max_new_tokens: int | None = None
    batch_size: int | None = None
    engine: str | None = None
    data_parallel: int | None = None
    memory: int | str | None = None
    device: str | None = None
    dtype: str | None = None
    seed: int | None = None
    revision: str | None = None
    system: str | None = None
    identifier: str | None = None
    judge: str | None = None
    judge_model: str | None = None
    max_usd: float | None = None
    english_margin: float | str | None = None
    cache: bool | None = None
    tracker: str | None = None
    out: str | None = None

    def arguments(self) -> JsonObject:
        """Name of an argument -> value, of every key that the file has."""
        given = {name: getattr(self, name) for name in self.model_fields_set - {"format"} if getattr(self, name) is not None}
        if self.variants is not None:
            given["variants"] = [entry.request() for entry in self.variants]
        return given


def read_run_file(path: Path) -> RunFile:
    """Read and check one file.

    Raises:
        UsageError: not readable as YAML, an unknown key (with the nearest) or a value of a wrong type, each with its line; a key
            that only a call may give; a file of another version.
    """
    document = read_yaml(path)
    _check_version(document)
    for key, (reason, remedy) in _COMMAND_ONLY.items():
        if key in document.data:
            raise UsageError(f"{document.where(key)}: '{key}' is not read from a file: {reason}", f"{remedy} with the call.")
    return validated(document.data, RunFile, document)


def _check_version(document: Document) -> None:
    found = document.data.get("format", FORMAT)
    if found == FORMAT and not isinstance(found, bool):
        return
    strange = [key for key in document.data if key not in RunFile.model_fields]
    unknown = f" Keys that this version does not know: {', '.join(map(str, strange))}." if strange else ""
    raise UsageError(
        f"{document.where('format')}: 'format' is {found!r}, that of another version of lensbench; this one reads {FORMAT}",
        f"Use the version that wrote the file, or write it anew.{unknown}",
    )
