"""Finding judges: the shipped folder, or a YAML file by path."""

from __future__ import annotations

import hashlib
import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from lensbench.content import named_file, shipped_files
from lensbench.datasets.rows import canonical_json
from lensbench.errors import UsageError
from lensbench.grading.judge.prompts import PromptSet, load_prompts
from lensbench.grading.judge.schema import JudgeFile, checked_url
from lensbench.jsonio import JsonObject
from lensbench.reasoning import READS
from lensbench.records import Grader
from lensbench.yamlio import read_yaml, validated

__all__ = ["Judge", "judges", "load_judge", "read_judge", "same_model", "shown_url"]


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
        given = self.file.endpoint.base_url or os.environ.get("OPENAI_BASE_URL")
        return given.rstrip("/") if given else None

    @property
    def identity(self) -> str | None:
        """Who answers, as far as the address tells: a host; None for the provider the client knows; "local" for an own server.

        The same judge behind another port, `localhost` for 127.0.0.1, or another machine of a cluster, is the same judge.
        """
        url = self.base_url
        if url is None:
            return None
        if not self.file.endpoint.key_needed or is_own_machine(url):
            return "local"
        parts = urlsplit(url)
        if parts.hostname == "api.openai.com":
            return None
        return f"{parts.hostname}{f':{parts.port}' if parts.port else ''}{parts.path.rstrip('/')}"

    @property
    def signature(self) -> str:
        """The grader as text: different signatures never share a column."""
        return str(self.grader)

    @property
    def grader(self) -> Grader:
        """Judge, model and a hash of everything else that decides a verdict."""
        deciding = self.file.model_dump(mode="json", include={"temperature", "max_tokens", "references", "rating", "verdict"})
        further = self.file.model_dump(mode="json", include={"reasoning_effort", "extra_body"})
        deciding |= {key: value for key, value in further.items() if value}
        text = canonical_json([deciding, self.identity, self.prompts.digest, READS])
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        return Grader("judge", self.name, self.model, digest[:8])

    def body(self, messages: list[dict[str, str]]) -> JsonObject:
        """The request as the chat completions endpoint takes it."""
        body: JsonObject = {"model": self.model, "messages": messages, self.file.token_parameter: self.file.max_tokens}
        if self.file.temperature is not None:
            body["temperature"] = self.file.temperature
        if self.file.reasoning_effort is not None:
            body["reasoning_effort"] = self.file.reasoning_effort
        return {**body, **self.file.extra_body}

    def request_hash(self, body: Mapping[str, Any], repeat: int, attempt: int, *, by_address: bool = False) -> str:
        """24 hex digits over the full request; the key of the cache.

        Args:
            repeat: 0-based repetition of the whole judging.
            attempt: 0-based try of one answer, when a verdict could not be read.
            by_address: As it was made of the server's address, before a judge was known by who answers. Replies stored under such
                a hash are the same replies, and are not paid for again.
        """
        text = canonical_json([self.base_url if by_address else self.identity, body, repeat, attempt])
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def judges() -> dict[str, Path]:
    """The shipped judge files by name."""
    return shipped_files("judges")


def read_judge(path: Path) -> JudgeFile:
    """One judge YAML.

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
        checked = _given_url("``base_url``", base_url)
        file = file.model_copy(update={"endpoint": file.endpoint.model_copy(update={"base_url": checked})})
    elif file.endpoint.base_url is None and os.environ.get("OPENAI_BASE_URL"):
        _given_url("OPENAI_BASE_URL", os.environ["OPENAI_BASE_URL"])
    file = file.model_copy(update={"model": model or file.model, "tokenizer": tokenizer or file.tokenizer})
    if file.model is None:
        raise UsageError(f"judge '{file.judge}' names no model", "Give one with ``model=NAME``, as the server calls it.")
    judge = Judge(file, path, load_prompts(file.prompts, path.parent))
    own = not file.endpoint.key_needed or file.endpoint.api_version is not None
    if own and judge.base_url is None:
        raise UsageError(
            f"judge '{file.judge}' names no server", "Give one: ``base_url=http://127.0.0.1:8000/v1``, or set OPENAI_BASE_URL."
        )
    return judge


def _given_url(what: str, url: str) -> str:
    try:
        return checked_url(url)
    except ValueError as error:
        raise UsageError(f"{what} {shown_url(url)}: {error}") from None


def same_model(asked: str, served: str) -> bool:
    """Whether a reply's model is the one asked for: by the same name, as a dated or numbered version of it, or by its folder."""
    asked, served = asked.rstrip("/").lower(), served.rstrip("/").lower()
    short = asked.rpartition("/")[2]
    return served in (asked, short) or served.startswith((f"{asked}-", f"{asked}@", f"{asked}:", f"{short}-", f"{short}@"))


def shown_url(url: str | None) -> str:
    """An address as it may be shown and written: without user name, password and query, which may hold a key."""
    if url is None:
        return "the provider"
    start = re.sub(r"[?#].*\Z", "", url, flags=re.DOTALL)
    return re.sub(r"\A([a-z]+://)?[^/]*@", r"\1", start, flags=re.IGNORECASE)


def is_own_machine(url: str) -> bool:
    """Whether an address is local to this machine."""
    host = urlsplit(url).hostname or ""
    try:
        address = ipaddress.ip_address(host)
        return address.is_loopback or address.is_unspecified
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
