"""The common part of most engines: requests as token ids, the window, and the noise measured against the reference engine.

Imports neither torch nor lm-eval before an engine is asked, so that a plugin's description costs nothing to read.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence, Set
from typing import TYPE_CHECKING, ClassVar

from lensbench.engines.protocol import (
    AnswerRequest,
    AssignToRanks,
    CannotScore,
    Engine,
    EngineSettings,
    EngineVariant,
    GeneratedAnswer,
    ScoredItems,
    ScoringRequests,
    TokenRequest,
)

if TYPE_CHECKING:
    from lensbench.backbones.lazy import LazyBackbone
    from lensbench.engines.encoding import RequestEncoder

__all__ = ["BaseEngine"]


class BaseEngine(Engine):
    """An engine that supports every task, and every variant but those that act while the model runs; a subclass implements
    scoring and answering.

    Attributes:
        handles_prompt_ends: Whether the engine supports enhancements that are not mergeable. Such an enhancement may act on the
            last token of a prompt only. An engine that sets this to True must read every batch inside
            `loaded.prompts_ending_at(ends)`, on the model with `variant.applied(loaded, language)`. Without it, scores of such
            an enhancement are wrong, and nothing else shows that.
        noise_of_merged: Whether `noise` depends on variants that only change weights.

    Args:
        model: The backbone. Call `model.loaded()` for the model in transformers, or read `model.checkpoint.path`.
        settings: Of the run.
    """

    handles_prompt_ends: ClassVar[bool] = False
    noise_of_merged: ClassVar[bool] = True

    def __init__(self, model: LazyBackbone, settings: EngineSettings) -> None:
        self.model, self.settings = model, settings

    @classmethod
    def check_available(cls, device: str) -> None:
        """Called before anything is read or fitted.

        Args:
            device: "cpu", "cuda" or "cuda:0": where the run computes.

        Raises:
            UnavailableError: a package is missing, or the engine cannot run on this machine.
        """

    @functools.cached_property
    def encoder(self) -> RequestEncoder:
        from lensbench.engines.encoding import RequestEncoder

        return RequestEncoder.of(self.model)

    @property
    def window(self) -> int:
        return self.encoder.max_length

    def supports(self, variant: EngineVariant, language: str) -> str | None:
        """As in the protocol. A subclass that refuses more asks `super().supports` first."""
        if variant.enhancement is None or variant.enhancement.mergeable or self.handles_prompt_ends:
            return None
        return "it acts while the model runs, and this engine holds weights only"

    def refuses(self, requests: ScoringRequests) -> str | None:
        return None

    def is_cut(self, request: TokenRequest) -> bool:
        return self.encoder.is_cut(request)

    def noise(self, samples: Sequence[ScoringRequests], variants: Sequence[EngineVariant], reference: Engine) -> float:
        """Noise as in the protocol, over all variants and samples."""
        from lensbench.engines.noise import farther, largest_noise

        noise = 0.0
        for sample in samples:
            mine = [variant for variant in variants if self.supports(variant, sample.language) is None]
            wanted = {variant.name: set(sample.items) for variant in mine}
            expected = {(n, i): a for n, i, a in _each(reference.score(sample, mine, wanted))}
            for name, item, answers in _each(self.score(sample, mine, wanted)):
                for (found, _), (wanted_score, _) in zip(answers, expected[name, item], strict=True):
                    noise = farther(noise, found, wanted_score)
        if math.isfinite(noise) and noise > largest_noise(self.model.dtype):
            raise CannotScore(f"it is {noise:.2g} nats off on this model")
        return noise

    def score(
        self, requests: ScoringRequests, variants: Sequence[EngineVariant], wanted: Mapping[str, Set[str]]
    ) -> Generator[ScoredItems, None, None]:
        raise NotImplementedError

    def divide(
        self, requests: ScoringRequests, variants: Sequence[EngineVariant], wanted: Mapping[str, Set[str]], assign: AssignToRanks
    ) -> Mapping[str, Set[str]]:
        raise NotImplementedError

    def answer(
        self,
        requests: Sequence[AnswerRequest],
        variants: Sequence[EngineVariant],
        language: str,
        on_answer: Callable[[int, GeneratedAnswer], None],
    ) -> None:
        raise NotImplementedError

    def forget(self, variants: Sequence[EngineVariant]) -> None:
        return

    def close(self) -> None:
        return


def _each(scored: Iterator[ScoredItems]) -> Iterator[tuple[str, str, Sequence[tuple[float, bool]]]]:
    """Variant, item and answers, one item at a time."""
    for part in scored:
        for name, found in part.answers.items():
            for item, answers in zip(part.items, found, strict=True):
                yield name, item, answers
