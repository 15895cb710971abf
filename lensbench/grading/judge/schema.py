"""Format of a judge YAML."""

from __future__ import annotations

import datetime
import math
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from lensbench.jsonio import JsonObject

__all__ = ["Endpoint", "JudgeFile", "Limits", "Prices", "PromptFiles", "RatingScale", "References", "Retry"]


def checked_url(url: str) -> str:
    """An address, without the slash at its end.

    Raises:
        ValueError: it is none, and why.
    """
    example = "an address is like http://127.0.0.1:8000/v1"
    if not url.isprintable() or " " in url:
        raise ValueError(f"holds blanks or control characters; {example}")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        # "Port out of range 0-65535", "Invalid IPv6 URL": these name no part of the address that could be a key.
        reason = "its port is no number from 1 to 65535" if "ort" in str(error) else "its brackets enclose no IPv6 address"
        raise ValueError(f"{reason}; {example}") from None
    if parts.scheme not in ("http", "https") or not host or port == 0 or host.startswith(".") or ".." in host:
        raise ValueError(f"is no web address; {example}")
    return url.rstrip("/")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Endpoint(_Strict):
    """Server of the judge."""

    base_url: str | None = None
    """Any OpenAI-compatible server; None is the provider the `openai` client knows (or OPENAI_BASE_URL)."""
    key_env: str = "OPENAI_API_KEY"
    """Environment variable with the key. The key itself is never written anywhere."""
    key_needed: bool = True
    timeout_seconds: float = Field(default=120.0, gt=0, le=86_400, allow_inf_nan=False)
    """Seconds from sending a request to the last byte of its reply."""
    api_version: str | None = None
    """Azure OpenAI's `api-version`. Then `base_url` is the resource, https://NAME.openai.azure.com, `model` the deployment."""
    extra_headers: dict[str, str] = {}
    """Header -> environment variable that holds its value, which is never written anywhere."""

    @field_validator("base_url")
    @classmethod
    def _an_address(cls, url: str | None) -> str | None:
        return None if url is None else checked_url(url)


class PromptFiles(_Strict):
    """Four Jinja files with the blocks `system` and `user`, or one prompt file in FastChat's format."""

    turn1: str | None = None
    turn1_reference: str | None = None
    turn2: str | None = None
    turn2_reference: str | None = None
    fastchat: str | None = None
    """JSONL with `name`, `system_prompt`, `prompt_template`; its `single-*` prompts are used word for word."""

    @model_validator(mode="after")
    def _one_way(self) -> PromptFiles:
        own = (self.turn1, self.turn1_reference, self.turn2, self.turn2_reference)
        if self.fastchat is None and not all(own):
            raise ValueError("needs turn1, turn1_reference, turn2 and turn2_reference, or fastchat")
        if self.fastchat is not None and any(own):
            raise ValueError("fastchat replaces turn1, turn1_reference, turn2 and turn2_reference; give one or the other")
        return self


class References(_Strict):
    """Which questions are judged beside a reference answer, and where it comes from."""

    categories: tuple[str, ...] = ("math", "reasoning", "coding")
    order: tuple[Literal["reference", "reference_answer"], ...] = ("reference", "reference_answer")
    """`reference`: the question set's own. `reference_answer`: a model's stored answer. Where neither is there, the prompt
    without a reference is used and counted."""


class RatingScale(_Strict):
    """Valid ratings."""

    low: float = Field(default=1, allow_inf_nan=False)
    high: float = Field(default=10, allow_inf_nan=False)
    tries: int = Field(default=2, ge=1, le=5)
    """How often an answer is graded at most until a verdict can be read; after that it stays unscored."""

    @model_validator(mode="after")
    def _rising(self) -> RatingScale:
        if not self.low < self.high:
            raise ValueError(f"low ({self.low:g}) must be below high ({self.high:g})")
        return self


class Limits(_Strict):
    """Limits for the rate of requests."""

    concurrency: int = Field(default=16, ge=1, le=1024)
    requests_per_minute: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    tokens_per_minute: float | None = Field(default=None, gt=0, allow_inf_nan=False)


class Retry(_Strict):
    """What is done about 429, 5xx, timeouts, cut connections and malformed replies."""

    attempts: int = Field(default=8, ge=1, le=100)
    first_wait_seconds: float = Field(default=1.0, ge=0, le=86_400, allow_inf_nan=False)
    longest_wait_seconds: float = Field(default=60.0, ge=0, le=86_400, allow_inf_nan=False)


class Prices(_Strict):
    """USD per million tokens."""

    date: datetime.date
    """When they were looked up."""
    input: float = Field(ge=0, allow_inf_nan=False)
    output: float = Field(ge=0, allow_inf_nan=False)
    cached_input: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    batch_factor: float = Field(default=0.5, gt=0, le=1)
    """Price of the batch API, as a share of the normal price."""


_OWN_KEYS = {"model", "messages", "temperature", "max_tokens", "max_completion_tokens", "reasoning_effort", "stream", "n"}


def _refuse_what_json_lacks(value: Any, depth: int = 0) -> None:
    if depth > 20:
        raise ValueError("nested more than 20 deep")
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise ValueError("every key must be a text")
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            _refuse_what_json_lacks(part, depth + 1)
    elif not isinstance(value, str | int | float | None) or (isinstance(value, float) and not math.isfinite(value)):
        raise ValueError(f"{value!r} cannot be written as JSON")


class JudgeFile(_Strict):
    """One judge YAML."""

    judge: str
    title: str
    model: str | None = None
    """Model; None if the user must name one."""
    endpoint: Endpoint = Endpoint()
    temperature: float | None = Field(default=0.0, ge=0, allow_inf_nan=False)
    """Temperature; None sends none, for models that refuse it."""
    max_tokens: int = Field(default=2048, gt=0, le=10_000_000)
    token_parameter: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    reasoning_effort: str | None = None
    """As sent; which words a model takes is the model's (`none`, `minimal`, `low`, `medium`, `high`, ...)."""
    extra_body: JsonObject = {}
    """Further keys of the request, as the server knows them."""
    verdict: Literal["one-rating", "fastchat-first", "result"] = "one-rating"
    """How a rating is read (docs/judging.md). `one-rating`: the judge's own; `fastchat-first`: the first in the text, for
    reproductions; `result`: the last `[RESULT] n`, which judges of the Prometheus family write."""
    prompts: PromptFiles
    references: References = References()
    rating: RatingScale = RatingScale()
    limits: Limits = Limits()
    retry: Retry = Retry()
    prices: Prices | None = None
    """Prices; None if the cost is unknown, and then `max_usd` is refused."""
    tokenizer: str | None = None
    """For estimates: `tiktoken:NAME`, or a hub id or folder with a tokenizer; None counts by characters."""
    expected_output_tokens: int = Field(default=250, gt=0, le=10_000_000)
    """Length of a verdict, for estimates made before any verdict is there."""

    @field_validator("extra_body")
    @classmethod
    def _further_keys(cls, extra: JsonObject) -> JsonObject:
        taken = sorted({*extra} & _OWN_KEYS)
        if taken:
            raise ValueError(f"'{taken[0]}' is set by a key of its own, or cannot be changed")
        _refuse_what_json_lacks(extra)
        return extra
