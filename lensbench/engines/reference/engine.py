"""The reference engine: one variant after the other, by the model's own forward pass. Every other engine is compared with it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator, Mapping, Sequence, Set

from lensbench.engines.base import BaseEngine
from lensbench.engines.batches import batches_of, divide_batches
from lensbench.engines.generation.answer_variants import answer_variants
from lensbench.engines.protocol import (
    AnswerRequest,
    AssignToRanks,
    Engine,
    EngineVariant,
    GeneratedAnswer,
    ScoredItems,
    ScoringRequests,
)
from lensbench.engines.reference.lm import LensLM

__all__ = ["ReferenceEngine"]


class ReferenceEngine(BaseEngine):
    """One sequence per distinct input, one variant after the other."""

    handles_prompt_ends = True

    @functools.cached_property
    def _lm(self) -> LensLM:
        return LensLM(self.model.loaded(), batch_size=self.settings.batch_size)

    def noise(self, samples: Sequence[ScoringRequests], variants: Sequence[EngineVariant], reference: Engine) -> float:
        """None: other engines are compared with this one."""
        return 0.0

    def score(
        self, requests: ScoringRequests, variants: Sequence[EngineVariant], wanted: Mapping[str, Set[str]]
    ) -> Generator[ScoredItems, None, None]:
        """Batches are made from all items; one that holds a wanted item is scored whole."""
        batches = batches_of(requests, self.settings.batch_size)
        for variant in variants:
            needed = [batch for batch in batches if not wanted[variant.name].isdisjoint(batch)]
            if not needed:
                continue
            with variant.applied(self._lm.loaded, requests.language):
                for batch in needed:
                    answers = iter(self._lm.score_tokens([r for item in batch for r in requests.items[item]]))
                    found = [[next(answers) for _ in requests.items[item]] for item in batch]
                    yield ScoredItems(batch, {variant.name: found})

    def divide(
        self, requests: ScoringRequests, variants: Sequence[EngineVariant], wanted: Mapping[str, Set[str]], assign: AssignToRanks
    ) -> Mapping[str, Set[str]]:
        return divide_batches(requests, variants, wanted, assign, self.settings.batch_size)

    def answer(
        self,
        requests: Sequence[AnswerRequest],
        variants: Sequence[EngineVariant],
        language: str,
        on_answer: Callable[[int, GeneratedAnswer], None],
    ) -> None:
        self.encoder.refuse_unknown_ids(request.prompt for request in requests)
        answer_variants(self.model.loaded(), requests, variants, language, self.settings.batch_size, on_answer)

    def close(self) -> None:
        """Forget the model, so that its owner can release it."""
        self.__dict__.pop("_lm", None)
