"""The six kinds of records. One definition each controls writing, reading, checking and documentation.

The files are JSON lines under `RUN/items/`. A field that a newer version adds is passed over by an older one; a field that an
older version did not write has the value named in its definition.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from lensbench.metrics import likeliest
from lensbench.reasoning import ANSWERED, ONLY_REASONING, Parts, split_reasoning
from lensbench.records.fields import always, needed, sometimes
from lensbench.records.grader import Grader
from lensbench.records.task_key import TaskKey

__all__ = [
    "AnswerRecord",
    "IdentifiedRecord",
    "IdentifiedTurn",
    "ItemRecord",
    "Record",
    "ScoreRecord",
    "UngradedRecord",
    "VerdictRecord",
]

_SHARES = ("acc", "acc_norm")
"""Metrics of a closed task that are shares of 1."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """Fields of all records."""

    STAGE: ClassVar[str] = ""
    """Name of the file, without its ending."""
    IS: ClassVar[str] = ""
    """Description of one line, for the documentation."""
    PLACE: ClassVar[tuple[str, ...]] = ("task", "language")
    """Fields that give the record's place."""

    key: str = needed("unique in the file")
    task: str = needed("name of the task")
    language: str = needed("code of the language that the item asks in")
    profile: str = needed("protocol for prompting and scoring")

    @property
    def task_key(self) -> TaskKey:
        return TaskKey(self.task, self.language, self.profile)

    def problem(self) -> str | None:
        """Description of a contradiction between fields; None if there is none."""
        return None


@dataclass(frozen=True, kw_only=True)
class ItemRecord(Record):
    """A question, the same for every variant."""

    STAGE: ClassVar[str] = "items"
    IS: ClassVar[str] = "one question"

    doc_id: int | None = always("number of the row in its split, from 0", older=None)
    row: str | None = always("hash of the row", older=None)
    doc: Mapping[str, Any] = always("the row", older={})
    requests: Sequence[tuple[str, str]] = always("`[context, continuation]` per choice", older=())
    gold: str | float | None = always("the right choice as text, or its number; empty where there is none", older=None)
    turns: Sequence[str] = sometimes("what the user says, turn by turn; open questions only", otherwise=())
    source: str | float | None = sometimes("the source item, the same in all languages ([statistics.md](statistics.md))")
    flaw: str | None = sometimes("why it cannot be scored")
    split: str | None = sometimes("split of the row, if the item only chooses a setting")

    @property
    def category(self) -> str | None:
        """The category of the question, if its row names one."""
        found = self.doc.get("category")
        return found if isinstance(found, str) else None


@dataclass(frozen=True, kw_only=True)
class _OfVariant(Record):
    """Fields of all records of a variant."""

    PLACE: ClassVar[tuple[str, ...]] = ("task", "language", "variant")

    item: str = needed("`key` of the item")
    variant: str = needed("name of the variant")
    state: str = needed("`ok`, or why there is no score")


@dataclass(frozen=True, kw_only=True)
class ScoreRecord(_OfVariant):
    """The log-likelihoods of one item under one variant. A state other than `ok` carries no metric."""

    STAGE: ClassVar[str] = "score"
    IS: ClassVar[str] = "one item under one variant, scored by log-likelihood"

    metrics: Mapping[str, float | None] = needed("metric -> value")
    statistics: Mapping[str, Sequence[float]] = sometimes("corpus metric -> sums over items", otherwise={})
    loglikelihoods: Sequence[float | None] = needed("nats, one per choice; null if not finite")
    greedy: Sequence[bool] = always("per choice: whether greedy decoding gives it", older=())
    tokens: Sequence[int] = always("per choice: tokens of the continuation", older=())
    tied: bool | None = sometimes("whether rounding could decide the item")
    unconditional: Sequence[Any] = sometimes("`[log-likelihood, greedy]` per choice without the question", otherwise=())
    states: Mapping[str, str] = sometimes("state by filter of lm-eval, if they differ", otherwise={})
    texts: Mapping[str, str] = sometimes("generated text after each filter of lm-eval", otherwise={})

    @property
    def pick(self) -> int | None:
        """The choice with the highest log-likelihood, the first of equals; None unless all are numbers and the state is `ok`."""
        return likeliest(self.loglikelihoods) if self.state == "ok" else None

    def problem(self) -> str | None:
        for name, value in self.metrics.items():
            if value is not None and not 0 <= value <= 1 and name in _SHARES:
                return f"its '{name}' is {value!r}, which is no share of 1"
        if self.state == "ok" and None in self.loglikelihoods:
            return "its state is ok, and a log-likelihood is missing"
        return None


@dataclass(frozen=True, kw_only=True)
class AnswerRecord(_OfVariant):
    """The answer of one variant to one turn of a question."""

    STAGE: ClassVar[str] = "answers"
    IS: ClassVar[str] = "one turn of one question, answered by one variant"

    turn: int = needed("from 1")
    text: str = needed("generated text, including reasoning")
    tokens: int | None = always("tokens generated", older=None)
    prompt_tokens: int | None = always("tokens of the prompt", older=None)
    temperature: float | None = always("0 for greedy decoding", older=None)
    finish: str | None = always("`stop`, `length`, or the state if nothing was generated", older=None)
    seconds: float | None = always("duration of the generation", older=None)
    answer: str | None = sometimes("`text` without its reasoning, if it has reasoning")
    reasoning_opened: bool = sometimes("whether the chat template opened the reasoning", otherwise=False)

    @property
    def parts(self) -> Parts:
        """The reasoning and the answer."""
        return split_reasoning(self.text, opened=self.reasoning_opened)

    @property
    def answer_state(self) -> str:
        """The state of the answer.

        Returns:
            `ok`; `empty` (the model said nothing, or nothing after its reasoning); `only_reasoning` (it ended before its
            reasoning did); or the record's own state where that says that there is no answer of the model (`no_room`, ...).
        """
        if self.state not in ANSWERED:
            return self.state
        parts = self.parts
        if parts.only_reasoning:
            return ONLY_REASONING
        return "ok" if parts.answer.strip() else "empty"

    def problem(self) -> str | None:
        return "its turn is 0, the first is 1" if self.turn < 1 else None


@dataclass(frozen=True, kw_only=True)
class IdentifiedTurn:
    """The language of one answer of a conversation."""

    answer: str = needed("`key` of the answer")
    turn: int = needed("from 1")
    label: str | None = needed("top label, also where its probability is below the identifier's floor; null of an empty answer")
    probability: float | None = needed("of that label")
    cell: str = needed("column of the asked x answered matrix")
    lines: Sequence[str] = needed("the same for each line")
    state: str | None = sometimes("why there is no answer of the model")


@dataclass(frozen=True, kw_only=True)
class IdentifiedRecord(_OfVariant):
    """The languages of one conversation, by one identifier."""

    STAGE: ClassVar[str] = "identified"
    IS: ClassVar[str] = "one conversation of one variant, read by one identifier"
    PLACE: ClassVar[tuple[str, ...]] = ("task", "language", "variant", "identifier")

    identifier: str = needed("the identifier, `NAME:DIGEST@FLOOR`; without a floor, `NAME:DIGEST`")
    metrics: Mapping[str, float | None] = needed("metric -> value; null if there is none")
    states: Mapping[str, str] = sometimes("metric without a value -> its state, if `state` does not tell it", otherwise={})
    turns: Sequence[IdentifiedTurn] = always("per answer: {fields}", older=())

    @property
    def grader(self) -> Grader:
        return Grader.parse(self.identifier, "identifier")


@dataclass(frozen=True, kw_only=True)
class _Graded(_OfVariant):
    """Fields of a verdict and of a failed grading."""

    PLACE: ClassVar[tuple[str, ...]] = ("task", "language", "variant", "judge")

    answer: str = needed("`key` of the answer")
    turn: int = needed("from 1")
    repeat: int = needed("repetition of the judging, from 0")
    judge: str = needed("the judge, `NAME:MODEL:DIGEST`")
    rating: float | None = always("null unless the state is `ok`", older=None)
    category: str | None = always("category of the question", older=None)
    attempt: int | None = always("number of the try of this grading, from 0", older=None, name="try")
    prompt: str | None = always("name of the judge's prompt", older=None)
    prompt_hash: str | None = always("hash of that prompt", older=None)
    reference_from: str | None = always("column of the reference; `missing` if there was none but one was needed", older=None)
    request: str | None = always("hash of the request", older=None)

    @property
    def grader(self) -> Grader:
        return Grader.parse(self.judge, "judge")

    @property
    def grading(self) -> tuple[str, str, int]:
        """The grading of which this is one try: answer, judge, repetition."""
        return self.answer, self.judge, self.repeat

    def problem(self) -> str | None:
        return "its state is ok, and it has no rating" if self.state == "ok" and self.rating is None else None


@dataclass(frozen=True, kw_only=True)
class VerdictRecord(_Graded):
    """A judge's reply to one answer, and the rating read from it."""

    STAGE: ClassVar[str] = "verdicts"
    IS: ClassVar[str] = "one reply of one judge to one answer"

    why: str | None = sometimes("reason why no rating could be read")
    injection: Sequence[str] = sometimes("kinds of text in the answer that address the judge", otherwise=())
    reply: Mapping[str, Any] | None = always("the unchanged reply", older=None)
    from_cache: bool | None = always("whether the reply came from the cache", older=None)


@dataclass(frozen=True, kw_only=True)
class UngradedRecord(_Graded):
    """A grading that got no reply."""

    STAGE: ClassVar[str] = "ungraded"
    IS: ClassVar[str] = "one grading without a reply; the next judging tries it again"

    reason: str | None = always("reason", older=None)
