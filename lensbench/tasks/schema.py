"""Format of task YAML and profile YAML.

A task file is one benchmark under one profile, with all its languages. Its field names are lm-eval's; `profile`, `rows`,
`languages`, `turns`, `vars` and `upstream` are lensbench's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from lensbench.jsonio import JsonObject

__all__ = ["LM_EVAL_FIELDS", "Generation", "LanguageEntry", "Profile", "Sample", "TaskFile"]


Wording = Literal["ours", "authors"]


class Sample(BaseModel):
    """A sample without replacement, as Python's `random.seed(seed)` and `random.sample` draw it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    n: int = Field(gt=0)
    seed: int


class Generation(BaseModel):
    """Settings for generating answers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_new_tokens: int = Field(gt=0)
    temperature: float = Field(default=0.0, ge=0)
    """0 is greedy."""
    temperature_by: str | None = None
    """Column of the row that decides the temperature, such as `category`."""
    temperatures: dict[str, float] = Field(default_factory=dict)
    """Value of that column -> temperature; a value that is not listed gets `temperature`."""

    def temperature_for(self, doc: Mapping[str, Any]) -> float:
        value = doc.get(self.temperature_by) if self.temperature_by else None
        return self.temperatures.get(str(value), self.temperature)


class Profile(BaseModel):
    """A named protocol for prompting and scoring. Scores of different profiles never share a column."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    profile: str
    title: str
    about: str
    source: str | None = None
    chat: bool
    """Whether questions go through the backbone's chat template, with its system text."""
    scoring: Literal["first_token", "loglikelihood", "fidelity", "judged"]
    """`first_token`: arg-max over the first token of each option. `loglikelihood`: of the whole continuation.
    `fidelity`: answers are generated and their language is identified. `judged`: and a judge grades them."""
    generation: Generation | None = None
    """Settings for generated answers; None uses the task's own `generation_kwargs`."""
    sample: Sample | None = None
    """Items drawn when the set is larger; None takes all."""
    wording: Wording | None = None
    """Whose words the prompts have: `ours`, which makes a difference to a paper's numbers, or `authors`, word for word."""
    stands_for: str | None = None
    """The profile in whose place its numbers may stand in a paper's table: one that asks and scores alike, in other words."""

    @property
    def generates(self) -> bool:
        """Whether the variant generates text as its answer."""
        return self.scoring in ("fidelity", "judged")


class _LmEvalKeys(BaseModel):
    """The keys lm-eval knows and that are data; those that name code run only where the user trusts the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    output_type: Literal["multiple_choice", "loglikelihood", "generate_until"] | None = None
    training_split: str | None = None
    validation_split: str | None = None
    test_split: str | None = None
    fewshot_split: str | None = None
    fewshot_config: JsonObject | None = None
    num_fewshot: int | None = Field(default=None, ge=0, le=10_000)
    doc_to_text: Any = None
    doc_to_choice: Any = None
    doc_to_target: Any = None
    process_docs: Any = None
    process_results: Any = None
    description: str | None = None
    target_delimiter: str | None = None
    fewshot_delimiter: str | None = None
    gen_prefix: str | None = None
    metric_list: list[JsonObject] | None = None
    generation_kwargs: dict[str, Any] | None = None
    filter_list: list[JsonObject] | None = None
    repeats: int | None = Field(default=None, ge=1, le=10_000)
    should_decontaminate: bool | None = None
    doc_to_decontamination_query: str | None = None
    dataset_path: str | None = None
    dataset_name: str | None = None
    dataset_kwargs: dict[str, Any] | None = None
    metadata: JsonObject | None = None


LM_EVAL_FIELDS = tuple(_LmEvalKeys.model_fields)


class LanguageEntry(_LmEvalKeys):
    """One language of a task: nothing at all, or what differs from the rest of the file."""

    upstream: str | None = None
    """Path of a task definition inside the installed `lm_eval/tasks`; its keys come before the file's own."""
    vars: JsonObject = Field(default_factory=dict)
    """Words the templates use, on top of the file's `vars`."""


class TaskFile(_LmEvalKeys):
    """One task YAML."""

    task: str
    profile: str = "lm-eval"
    title: str | None = None
    tag: str | list[str] | None = None
    task_alias: str | None = None
    rows: list[str] = Field(default_factory=list)
    """Row definitions in order of preference; the first that the data source has in a language serves it. Empty: the
    task names its own `dataset_path`, as lm-eval's own YAML does."""
    turns: str | None = None
    """Column with the user's turns, for conversations: after each answer the next one is asked. None asks `doc_to_text` only."""
    wording: Wording | None = None
    """As in the profile, and before it: a task of `lens-paper` in the authors' own words says `authors`."""
    vars: JsonObject = Field(default_factory=dict)
    languages: dict[str, LanguageEntry] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _rows_or_path(self) -> TaskFile:
        if not self.rows and not self.dataset_path:
            raise ValueError("needs 'rows' (a row definition) or 'dataset_path' (a data set as lm-eval names it)")
        return self
