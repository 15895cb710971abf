"""Finding judges: the shipped folder, or a YAML file by path."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lensbench.content import named_file, shipped_files
from lensbench.data.rows import canonical_json
from lensbench.errors import UsageError
from lensbench.judging.prompts import PromptSet, load_prompts
from lensbench.judging.schema import JudgeFile
from lensbench.yamlio import read_yaml, validated

__all__ = ["Judge", "judges", "load_judge", "read_judge"]


GROUP = "lensbench.judges"
"""Entry points of other packages' judge files."""


@dataclass(frozen=True)
class Judge:
    """A judge ready to be asked."""

    file: JudgeFile
    path: Path
    prompts: PromptSet

    @property
    def name(self) -> str:
        return self.file.judge

    @property
    def model(self) -> str:
        assert self.file.model is not None
        return self.file.model

    @property
    def base_url(self) -> str | None:
        """The server, also where the environment names it; None is the provider the client knows."""
        return self.file.endpoint.base_url or os.environ.get("OPENAI_BASE_URL") or None

    @property
    def signature(self) -> str:
        """Judge, model and a hash of everything else that decides a verdict; unlike signatures never share a column."""
        deciding = self.file.model_dump(mode="json", include={"temperature", "max_tokens", "references", "rating"})
        text = canonical_json([deciding, self.base_url, self.prompts.digest])
        return f"{self.name}:{self.model}:{hashlib.sha256(text.encode()).hexdigest()[:8]}"

    def body(self, messages: list[dict[str, str]]) -> dict[str, Any]:
        """The request as the chat completions endpoint takes it."""
        body: dict[str, Any] = {"model": self.model, "messages": messages, self.file.token_parameter: self.file.max_tokens}
        if self.file.temperature is not None:
            body["temperature"] = self.file.temperature
        return body

    def request_hash(self, body: Mapping[str, Any], repeat: int, attempt: int) -> str:
        """24 hex digits over the full request; the key of the cache.

        Args:
            repeat: 0-based repetition of the whole judging.
            attempt: 0-based try of one answer, when a verdict could not be read.
        """
        text = canonical_json([self.base_url, body, repeat, attempt])
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def judges() -> dict[str, Path]:
    """The shipped judge files by name."""
    return shipped_files("judges")


def read_judge(path: Path) -> JudgeFile:
    """One judge YAML as it stands.

    Raises:
        UsageError: a mistake in it, with file and line.
    """
    document = read_yaml(path)
    return validated(document.data, JudgeFile, document)


def load_judge(name: str, *, model: str | None = None, base_url: str | None = None, tokenizer: str | None = None) -> Judge:
    """A judge by short name or path.

    Args:
        model: In place of the file's model.
        base_url: In place of the file's endpoint.
        tokenizer: In place of the file's tokenizer.

    Raises:
        UsageError: unknown name (with the nearest), a mistake in the YAML (file, line, nearest key), a prompt file that is
            missing or wrong, no model.
    """
    path = named_file("judge", name, judges(), GROUP)
    file = read_judge(path)
    if base_url is not None:
        if not base_url.startswith(("http://", "https://")):
            raise UsageError(f"--base-url {base_url} is no web address", "Example: --base-url http://127.0.0.1:8000/v1")
        file = file.model_copy(update={"endpoint": file.endpoint.model_copy(update={"base_url": base_url.rstrip("/")})})
    file = file.model_copy(update={"model": model or file.model, "tokenizer": tokenizer or file.tokenizer})
    if file.model is None:
        raise UsageError(f"judge '{file.judge}' names no model", "Give one with --model NAME, as the server calls it.")
    if not file.endpoint.key_needed and file.endpoint.base_url is None:
        raise UsageError(f"judge '{file.judge}' names no server", "Give one: --base-url http://127.0.0.1:8000/v1")
    return Judge(file, path, load_prompts(file.prompts, path.parent))
