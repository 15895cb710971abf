"""The vLLM engine: one variant at a time in a process of vLLM, an enhancement merged into a model folder first."""

from __future__ import annotations

import functools
import math
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence, Set
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from lensbench.backbones.lazy import LazyBackbone
from lensbench.engines.base import BaseEngine
from lensbench.engines.batches import batches_of
from lensbench.engines.noise import farther, largest_noise
from lensbench.engines.protocol import (
    AnswerRequest,
    CannotScore,
    Engine,
    EngineSettings,
    EngineVariant,
    GeneratedAnswer,
    ScoredItems,
    ScoringRequests,
    TokenRequest,
)
from lensbench.engines.reference.lm import LensLM
from lensbench.engines.vllm.merged import merged_folder
from lensbench.engines.vllm.package import find_vllm
from lensbench.engines.vllm.process import running
from lensbench.engines.vllm.session import GROUP, VllmSession, is_cut

__all__ = ["VllmEngine"]

_STEP = 4096
"""Windows are multiples of this. A model with LongRoPE is read by vLLM as a long one, whatever the input, where the window is
longer than the one it was first trained with: 4096 for those known."""


class VllmEngine(BaseEngine):
    """Holds one variant. The model in transformers is loaded to merge an enhancement and to measure the noise, and let go of
    before vLLM starts, which wants nearly all of an accelerator's memory.

    Raises:
        UnavailableError: vLLM is not installed, or does not run here.
        UsageError: vLLM would run elsewhere than the run was told to.
    """

    def __init__(self, model: LazyBackbone, settings: EngineSettings) -> None:
        super().__init__(model, settings)
        self._vllm = find_vllm(str(model.device))
        self._refused: dict[str, str] = {}
        """Variants that vLLM reads otherwise, and how far it is off."""
        self._held: tuple[EngineVariant, VllmSession] | None = None

    @classmethod
    def check_available(cls, device: str) -> None:
        find_vllm(device)

    def supports(self, variant: EngineVariant, language: str) -> str | None:
        if super().supports(variant, language) is not None:
            return "it cannot be merged"
        return self._refused.get(variant.name)

    @property
    def window(self) -> int:
        return self._window

    @functools.cached_property
    def _window(self) -> int:
        """Tokens of the longest input with what is generated behind it, rounded up; at most the model's own window.

        vLLM keeps memory for one input of the whole window, and chooses by it how a model with LongRoPE reads positions.
        """
        own = self.encoder.max_length
        needed = own if self.settings.longest_input is None else self.settings.longest_input()
        return min(own, -(-needed // _STEP) * _STEP)

    def is_cut(self, request: TokenRequest) -> bool:
        return is_cut(request, self.window)

    def noise(self, samples: Sequence[ScoringRequests], variants: Sequence[EngineVariant], reference: Engine) -> float:
        noise = 0.0
        sample = [r for s in samples for r in s.flat() if len(r[1]) + len(r[2]) < self.window]
        for variant in variants:
            self.close()
            loaded = self.model.loaded()
            with variant.applied(loaded, "en"):
                expected = LensLM(loaded, batch_size=self.settings.batch_size).score_tokens(sample)
            del loaded
            off = 0.0
            for (found, _), (wanted, _) in zip(self._session(variant).score_tokens(sample), expected, strict=True):
                off = farther(off, found, wanted)
            if math.isfinite(off) and off > largest_noise(self.model.dtype):
                self._refused[variant.name] = f"vLLM is {off:.2g} nats off on this model"
                raise CannotScore(self._refused[variant.name])
            noise = off if off != off else max(noise, off)
        return noise

    def score(
        self, requests: ScoringRequests, variants: Sequence[EngineVariant], wanted: Mapping[str, Set[str]]
    ) -> Generator[ScoredItems, None, None]:
        for variant in variants:
            for batch in batches_of(requests, GROUP):
                if wanted[variant.name].isdisjoint(batch):
                    continue
                flat = [request for item in batch for request in requests.items[item]]
                answers = iter(self._session(variant).score_tokens(flat))
                found = [[next(answers) for _ in requests.items[item]] for item in batch]
                yield ScoredItems(batch, {variant.name: found})

    def answer(
        self,
        requests: Sequence[AnswerRequest],
        variants: Sequence[EngineVariant],
        language: str,
        on_answer: Callable[[int, GeneratedAnswer], None],
    ) -> None:
        for place, variant in enumerate(variants):
            indices = [index for index, request in enumerate(requests) if request.variant == place]
            if indices:
                self._session(variant).answer(
                    [requests[index] for index in indices],
                    on_answer=lambda number, answer, own=tuple(indices): on_answer(own[number], answer),  # type: ignore[misc]
                )

    def close(self) -> None:
        """End vLLM's process."""
        if self._held is not None:
            held, self._held = self._held[1], None
            held.__exit__(None, None, None)

    def _session(self, variant: EngineVariant) -> VllmSession:
        """The session of a variant, after that of another has ended."""
        if self._held is None or self._held[0] is not variant:
            self.close()
            start = functools.partial(self._started, variant)
            self._held = (variant, VllmSession(self.model, self._vllm, start, window=self.window))
        return self._held[1]

    @contextmanager
    def _started(self, variant: EngineVariant) -> Iterator[Any]:
        """vLLM's process with this variant in it."""
        with ExitStack() as stack:
            model = self.model.checkpoint.path
            if variant.enhancement is not None:
                target = self.settings.scratch or Path(stack.enter_context(tempfile.TemporaryDirectory())) / "merged"
                model = stack.enter_context(merged_folder(self.model, variant, target, self.settings.notify))
            self.model.release()
            dtype = str(self.model.dtype).removeprefix("torch.")
            began = time.perf_counter()
            llm = stack.enter_context(running(self._vllm, model, dtype=dtype, window=self.window, trust=self.model.trust))
            self.settings.notify(
                f"vLLM {self._vllm.__version__} holds {variant.name} ({dtype}, window of {self.window} tokens) after "
                f"{time.perf_counter() - began:.1f} s"
            )
            yield llm
