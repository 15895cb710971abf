"""The protocol of engines: requests, results and capabilities. Imports neither torch nor lm-eval.

An engine computes log-likelihoods and answers for the variants of one backbone, and it owns the weights. The stages talk to this
protocol only. `lensbench.engines.base.BaseEngine` has most of it; `lensbench.engines.registry` finds engines by name.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence, Set
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from lensbench.errors import UnavailableError

if TYPE_CHECKING:
    from lensbench.backbones.lazy import LazyBackbone

__all__ = [
    "Answer",
    "AnswerRequest",
    "AssignToRanks",
    "CannotScore",
    "Encoder",
    "Engine",
    "EngineSettings",
    "EngineVariant",
    "GeneratedAnswer",
    "ScoredItems",
    "ScoringRequests",
    "TokenRequest",
    "has_prompt",
]

TokenRequest = tuple[tuple[str, str], list[int], list[int]]
"""(context and continuation as text, context ids, continuation ids), as lm-eval passes them."""

Answer = tuple[float, bool]
"""Log-likelihood in nats, and whether the continuation is the greedy one."""


def has_prompt(request: TokenRequest) -> bool:
    """Whether a continuation is scored behind a prompt; behind an empty context, only a BOS stands in front."""
    (context, _), _, target = request
    return bool(context and target)


class CannotScore(UnavailableError):
    """An engine cannot read a model, a variant or a task; the message is the reason. The reference engine can."""


class EngineVariant(Protocol):
    """A variant as an engine sees it: the backbone with what a method left behind, or the backbone itself."""

    @property
    def name(self) -> str: ...

    @property
    def enhancement(self) -> Any:
        """A `lensbench.methods.base.Enhancement`; None is the untouched backbone."""
        ...

    def applied(self, loaded: Any, language: str) -> AbstractContextManager[None]:
        """A context in which the `LoadedBackbone` is this variant."""
        ...


@dataclass(frozen=True)
class ScoringRequests:
    """All requests of one task in one language.

    Attributes:
        name: Task and language, for messages.
        language: Code; an enhancement may depend on it.
        items: Requests by the id of their item, in the order of the task.
        rows: Row number of each item, in the same order. Items of equal length are read in the order of their rows.
    """

    name: str
    language: str
    items: Mapping[str, Sequence[TokenRequest]]
    rows: Sequence[int]

    def flat(self) -> list[TokenRequest]:
        """The requests of all items, in order."""
        return [request for requests in self.items.values() for request in requests]


@dataclass(frozen=True)
class ScoredItems:
    """Items whose requests have all been scored.

    Attributes:
        items: Their ids.
        answers: By the name of each variant: the answers to each item's requests, in the order of `items`.
    """

    items: Sequence[str]
    answers: Mapping[str, Sequence[Sequence[Answer]]]


@dataclass(frozen=True)
class AnswerRequest:
    """One answer to generate."""

    prompt: tuple[int, ...]
    max_new_tokens: int
    temperature: float = 0.0
    """0 is greedy."""
    seed: int = 0
    """Seed of this answer's own generator."""
    variant: int = 0
    """Index of the variant that answers."""


@dataclass(frozen=True)
class GeneratedAnswer:
    """The answer of a variant."""

    text: str
    tokens: int
    """New tokens, the end-of-turn token not counted."""
    finish: str
    """"stop" at the end of turn, "length" when the answer was cut, "not_finite" when the model gave no numbers to choose by."""
    seconds: float
    """Its share of the wall seconds of the steps it was part of."""


def _nothing(text: str) -> None:
    """Receiver that ignores all messages of an engine."""


@dataclass(frozen=True)
class EngineSettings:
    """What an engine may read of a run.

    Attributes:
        batch_size: Sequences per forward pass, and answers of each variant at a time.
        scratch: Path of a folder that an engine may make, and removes again. None where there is no run.
        longest_input: Tokens of the run's longest input with what is generated behind it; counted when it is called. None where
            nothing is known of the inputs.
        notify: Shows a line of text to the user.
    """

    batch_size: int = 16
    scratch: Path | None = None
    longest_input: Callable[[], int] | None = None
    notify: Callable[[str], None] = _nothing


class AssignToRanks(Protocol):
    """Divides pieces of work among the processes of a run."""

    def __call__(self, costs: Sequence[float], *, keep_neighbours: bool) -> list[bool]:
        """Which pieces are this process's own. Every process must call it in the same order with the same costs.

        Args:
            costs: Of each piece, in a unit of the engine's choice.
            keep_neighbours: Pieces of one process follow each other, since neighbours share work.
        """
        ...


class Encoder(Protocol):
    """Conversion from text to token ids; `lensbench.engines.encoding.RequestEncoder`."""

    def token_requests(self, requests: Sequence[tuple[str, str]], *, first_token: bool = False) -> list[TokenRequest]:
        """
        Args:
            requests: Context and continuation of each.
            first_token: Score only the continuation's first token.
        """
        ...

    def tok_encode(self, string: str, add_special_tokens: bool | None = None) -> list[int]: ...

    @property
    def max_length(self) -> int:
        """Longest input in tokens."""
        ...


class Engine(Protocol):
    """Scores and answers the variants of one backbone.

    An engine is made with a `LazyBackbone` and `EngineSettings`, and opens the weights itself when it first needs them.
    """

    model: LazyBackbone
    settings: EngineSettings

    @property
    def encoder(self) -> Encoder: ...

    @property
    def window(self) -> int:
        """Maximum number of tokens of a prompt and its generated answer."""
        ...

    def supports(self, variant: EngineVariant, language: str) -> str | None:
        """None, or the reason why this engine can neither score nor answer for a variant. The reference engine then does it."""
        ...

    def refuses(self, requests: ScoringRequests) -> str | None:
        """None, or the reason why this engine cannot score a task. The reference engine then does it."""
        ...

    def is_cut(self, request: TokenRequest) -> bool:
        """Whether a request is longer than the window, so that its beginning is left out."""
        ...

    def noise(self, samples: Sequence[ScoringRequests], variants: Sequence[EngineVariant], reference: Engine) -> float:
        """Nats by which scores may be off: the largest difference from the reference engine on a sample. NaN means that a
        score of the sample is not a number.

        Raises:
            CannotScore: the difference is more than rounding can explain, or the model cannot be read.
        """
        ...

    def score(
        self, requests: ScoringRequests, variants: Sequence[EngineVariant], wanted: Mapping[str, Set[str]]
    ) -> Generator[ScoredItems, None, None]:
        """Score a task under variants that it supports.

        Batches must be made from all requests, whatever is wanted: what an item is read with decides its last bits, and a run
        that goes on must find the same ones.

        Args:
            wanted: By the name of each variant, the ids of the items to score. Others may come along.
        """
        ...

    def divide(
        self, requests: ScoringRequests, variants: Sequence[EngineVariant], wanted: Mapping[str, Set[str]], assign: AssignToRanks
    ) -> Mapping[str, Set[str]]:
        """The part of the wanted items that this process scores. Called only where several ranks share the work."""
        ...

    def answer(
        self,
        requests: Sequence[AnswerRequest],
        variants: Sequence[EngineVariant],
        language: str,
        on_answer: Callable[[int, GeneratedAnswer], None],
    ) -> None:
        """Generate all answers; each is handed to `on_answer`, with the index of its request, as soon as it has ended."""
        ...

    def forget(self, variants: Sequence[EngineVariant]) -> None:
        """Release what is held for some variants, which are not asked again."""
        ...

    def close(self) -> None:
        """Release everything except `model`; a later call loads it again."""
        ...
