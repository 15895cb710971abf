"""An engine that scores every request by itself in float64: no batch, no cache, one variant after the other."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Generator, Mapping, Sequence, Set
from typing import Any

from lensbench import (
    Answer,
    AnswerRequest,
    BaseEngine,
    EngineInfo,
    EngineVariant,
    GeneratedAnswer,
    ScoredItems,
    ScoringRequests,
    TokenRequest,
    end_tokens,
    finished_answer,
)

INFO = EngineInfo(
    name="float64",
    title="every request by itself in float64, without batches and without a cache",
    packages=("torch", "transformers"),
    extra="lensbench-float64",
    options=("device",),
    divides_work=False,
    one_variant_at_a_time=False,
    target="lensbench_float64:Float64Engine",
)


class Float64Engine(BaseEngine):
    """Holds one float64 copy of the model, with a variant's weights in it."""

    def score(
        self, requests: ScoringRequests, variants: Sequence[EngineVariant], wanted: Mapping[str, Set[str]]
    ) -> Generator[ScoredItems, None, None]:
        for variant in variants:
            model = self._copy(variant, requests.language)
            for item, asked in requests.items.items():
                if item in wanted[variant.name]:
                    yield ScoredItems([item], {variant.name: [[self._score_one(model, request) for request in asked]]})

    def answer(
        self,
        requests: Sequence[AnswerRequest],
        variants: Sequence[EngineVariant],
        language: str,
        on_answer: Callable[[int, GeneratedAnswer], None],
    ) -> None:
        ends = end_tokens(self.model)
        for place, variant in enumerate(variants):
            model = self._copy(variant, language)
            for index, request in enumerate(requests):
                if request.variant == place:
                    started = time.perf_counter()
                    tokens = self._generate(model, request, ends)
                    on_answer(index, finished_answer(self.model, tokens, ends, time.perf_counter() - started))

    def _copy(self, variant: EngineVariant, language: str) -> Any:
        loaded = self.model.loaded()
        with variant.applied(loaded, language):
            return copy.deepcopy(loaded.model).double()

    def _score_one(self, model: Any, request: TokenRequest) -> Answer:
        """Log-likelihood in nats, and whether every token is the likeliest. A continuation longer than the window has none."""
        import torch

        _, context, target = request
        ids = [*context, *target][-(self.window + 1) :]
        if len(target) >= len(ids):
            return (float("nan"), False) if target else (0.0, True)
        with torch.inference_mode():
            logits = model(torch.tensor([ids[:-1]], device=self.model.device), use_cache=False).logits[0, -len(target) :]
        scores = logits.log_softmax(-1)
        wanted = torch.tensor(target, device=scores.device)
        return float(scores.gather(1, wanted[:, None]).sum()), bool((scores.argmax(-1) == wanted).all())

    def _generate(self, model: Any, request: AnswerRequest, ends: set[int]) -> list[int]:
        """New tokens, with the end of turn if it is reached."""
        import torch

        draw = torch.Generator().manual_seed(request.seed)
        ids, tokens = list(request.prompt), []
        while len(tokens) < request.max_new_tokens and not (tokens and tokens[-1] in ends):
            with torch.inference_mode():
                logits = model(torch.tensor([ids], device=self.model.device), use_cache=False).logits[0, -1].cpu()
            if request.temperature > 0:
                token = int(torch.multinomial((logits / request.temperature).softmax(-1), 1, generator=draw))
            else:
                token = int(logits.argmax())
            tokens.append(token)
            ids.append(token)
        return tokens
