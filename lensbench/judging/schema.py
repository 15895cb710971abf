"""What a judge YAML may say."""

from __future__ import annotations

import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["Endpoint", "JudgeFile", "Limits", "Prices", "PromptFiles", "RatingScale", "References", "Retry"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Endpoint(_Strict):
    """Where the judge answers."""

    base_url: str | None = None
    """Any OpenAI-compatible server; None is the provider the `openai` client knows (or OPENAI_BASE_URL)."""
    key_env: str = "OPENAI_API_KEY"
    """Environment variable with the key. The key itself is never written anywhere."""
    key_needed: bool = True
    timeout_seconds: float = Field(default=120.0, gt=0)


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
    """What a rating may be."""

    low: float = 1
    high: float = 10
    tries: int = Field(default=2, ge=1, le=5)
    """How often an answer is graded at most until a verdict can be read; after that it stays unscored."""

    @model_validator(mode="after")
    def _rising(self) -> RatingScale:
        if not self.low < self.high:
            raise ValueError(f"low ({self.low:g}) must be below high ({self.high:g})")
        return self


class Limits(_Strict):
    """How fast requests go out."""

    concurrency: int = Field(default=16, ge=1)
    requests_per_minute: float | None = Field(default=None, gt=0)
    tokens_per_minute: float | None = Field(default=None, gt=0)


class Retry(_Strict):
    """What is done about 429, 5xx, timeouts, cut connections and malformed replies."""

    attempts: int = Field(default=8, ge=1)
    first_wait_seconds: float = Field(default=1.0, ge=0)
    longest_wait_seconds: float = Field(default=60.0, ge=0)


class Prices(_Strict):
    """USD per million tokens."""

    date: datetime.date
    """When they were looked up."""
    input: float = Field(ge=0)
    output: float = Field(ge=0)
    cached_input: float | None = Field(default=None, ge=0)
    batch_factor: float = Field(default=0.5, gt=0, le=1)
    """What the batch API costs of that."""


class JudgeFile(_Strict):
    """One judge YAML."""

    judge: str
    title: str
    model: str | None = None
    """None asks for --model."""
    endpoint: Endpoint = Endpoint()
    temperature: float | None = 0.0
    """None sends none, for models that refuse it."""
    max_tokens: int = Field(default=2048, gt=0)
    token_parameter: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    prompts: PromptFiles
    references: References = References()
    rating: RatingScale = RatingScale()
    limits: Limits = Limits()
    retry: Retry = Retry()
    prices: Prices | None = None
    """None: what the judge costs is not known, and --max-usd is refused."""
    tokenizer: str | None = None
    """For estimates: `tiktoken:NAME`, or a hub id or folder with a tokenizer; None counts by characters."""
    expected_output_tokens: int = Field(default=250, gt=0)
    """Length of a verdict, for estimates made before any verdict is there."""
