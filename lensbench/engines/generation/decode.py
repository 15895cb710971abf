"""Answers in one moving batch: a finished answer leaves it immediately, and a waiting one takes its place.

A batch that waits for its longest answer spends most of its steps on padding. Here the cache loses a row when its answer ends,
and prompts that wait are read in and put beside the rows that go on. Rows may belong to several variants
(`multi_variant_batch.py`): a prompt that several of them answer is read once as far as they share blocks. Greedy answers equal
those of `generate_reference` up to numerical ties; sampled ones take one uniform number a step from a generator of their own, so
that neither the batch size nor the order of the questions decides what is drawn.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from transformers.cache_utils import DynamicCache, DynamicLayer, DynamicSlidingWindowLayer

from lensbench.backbones.load import LoadedBackbone
from lensbench.engines.generation.generate import end_tokens, finished_answer
from lensbench.engines.generation.multi_variant_batch import MultiVariantBatch
from lensbench.engines.kv_memory import kv_bytes_per_token
from lensbench.engines.layer_sharing import Branch
from lensbench.engines.protocol import AnswerRequest, GeneratedAnswer
from lensbench.errors import RunError
from lensbench.memory import free_bytes, out_of_memory
from lensbench.threads import heed_load

__all__ = ["generate_answers", "places_for"]

_REFILL = 4
"""A quarter of the places must be free before waiting prompts are read in: reading one prompt stops all others."""


def places_for(loaded: LoadedBackbone, requests: Sequence[AnswerRequest], batch_size: int, variants: int) -> int:
    """Answers of several variants at a time: `batch_size` of each, where their keys and values fit into half of the free memory.

    Never less than `batch_size`, which the user chose.
    """
    config: Any = loaded.model.config
    per_token = kv_bytes_per_token(config.get_text_config(), loaded.model.dtype)
    longest = max((len(request.prompt) + request.max_new_tokens for request in requests), default=1)
    free = free_bytes(loaded.device)
    if free is None:
        return batch_size
    return max(batch_size, min(batch_size * variants, free // 2 // (per_token * longest)))


@dataclass
class _Row:
    index: int
    request: AnswerRequest
    tokens: list[int] = field(default_factory=list)
    seconds: float = 0.0
    generator: torch.Generator | None = None
    broken: bool = False
    """The last logits were not finite: no token can be chosen, and the answer ends."""


@torch.inference_mode()
def generate_answers(
    loaded: LoadedBackbone,
    requests: Sequence[AnswerRequest],
    *,
    batch_size: int = 16,
    branches: Sequence[Branch] = (),
    on_answer: Callable[[int, GeneratedAnswer], None] | None = None,
) -> list[GeneratedAnswer]:
    """Answers to all requests, in their order.

    When memory runs out, the number of places is halved, and answers that were under way are begun again.

    Args:
        batch_size: Answers that are generated at a time.
        branches: Variants that share blocks; none: whatever is applied to the model answers.
        on_answer: Called with the index of a request and its answer as soon as the answer has ended.

    Raises:
        CannotPack: there are branches, and the blocks of this model cannot be called one by one.
        RunError: there is not enough memory for one answer.
    """
    shared = MultiVariantBatch(loaded, branches) if branches else None
    answers: dict[int, GeneratedAnswer] = {}

    def done(index: int, answer: GeneratedAnswer) -> None:
        answers[index] = answer
        if on_answer is not None:
            on_answer(index, answer)

    while len(answers) < len(requests):
        try:
            _generate(loaded, shared, requests, [i for i in range(len(requests)) if i not in answers], batch_size, done)
        except RuntimeError as error:
            if not out_of_memory(error):
                raise
            if batch_size == 1:
                raise RunError("not enough memory for one answer", "Use a smaller model or ``dtype=bfloat16``.") from error
            batch_size //= 2
        if loaded.device.type == "cuda" and len(answers) < len(requests):
            torch.cuda.empty_cache()
    return [answers[index] for index in range(len(requests))]


def _generate(
    loaded: LoadedBackbone,
    shared: MultiVariantBatch | None,
    requests: Sequence[AnswerRequest],
    missing: Sequence[int],
    batch_size: int,
    done: Callable[[int, GeneratedAnswer], None],
) -> None:
    ends = end_tokens(loaded)
    # Longest prompts first: prompts that are read in together are of like length, and an out-of-memory comes at once.
    waiting = deque(sorted(missing, key=lambda i: (-len(requests[i].prompt), requests[i].prompt, i)))

    def ended(row: _Row) -> None:
        answer = finished_answer(loaded, row.tokens, ends, row.seconds)
        done(row.index, replace(answer, finish="not_finite") if row.broken else answer)

    batch: _Batch | None = None
    while waiting or batch is not None:
        heed_load()
        free = batch_size - (len(batch.rows) if batch else 0)
        if waiting and (batch is None or (free * _REFILL >= batch_size and batch.can_grow)):
            chosen = _of_like_length(waiting, requests, free)
            rows = [_Row(i, requests[i], generator=_generator(requests[i])) for i in chosen]
            entering = _Batch.read_in(loaded, shared, rows)
            batch = entering if batch is None else batch.joined(entering)
        else:
            assert batch is not None
            batch.step()
        batch = batch.without(ends, ended)


def _of_like_length(waiting: deque[int], requests: Sequence[AnswerRequest], free: int) -> list[int]:
    """The next prompts to read in together: none is padded by more than a third of its batch's width."""
    longest = len(requests[waiting[0]].prompt)
    chosen = [waiting.popleft()]
    while waiting and len(chosen) < free and 3 * len(requests[waiting[0]].prompt) >= 2 * longest:
        chosen.append(waiting.popleft())
    return chosen


def _generator(request: AnswerRequest) -> torch.Generator | None:
    return torch.Generator().manual_seed(request.seed) if request.temperature > 0 else None


def _new_cache(config: Any) -> DynamicCache:
    """A cache that keeps all keys, so that rows of unlike length can be joined; where a window slides, the masks hide them.

    A model with layers of another kind, such as recurrent ones, gets the cache that its configuration names.
    """
    named = DynamicCache(config=config)
    plain = all(type(layer) in (DynamicLayer, DynamicSlidingWindowLayer) for layer in named.layers)
    return DynamicCache() if plain else named


class _Batch:
    """Rows that are answered together, left-padded to one width.

    Attributes:
        rows: The answers under way; every row has at least one token.
        mask: `[rows, width]`, 1 where the cache holds a token of the row.
    """

    def __init__(self, model: Any, shared: MultiVariantBatch | None, cache: Any, mask: torch.Tensor, rows: list[_Row]) -> None:
        self._model, self._shared, self._cache, self._mask, self.rows = model, shared, cache, mask, rows

    @classmethod
    def read_in(cls, loaded: LoadedBackbone, shared: MultiVariantBatch | None, rows: list[_Row]) -> _Batch:
        """Read the prompts and choose the first token of every answer."""
        started = time.perf_counter()
        prompts = [row.request.prompt for row in rows]
        if shared is not None:
            prompts = list(dict.fromkeys(prompts))
        width = max(map(len, prompts))
        ids = torch.full((len(prompts), width), loaded.pad_id, dtype=torch.long)
        mask = torch.zeros_like(ids)
        for place, prompt in enumerate(prompts):
            ids[place, width - len(prompt) :] = torch.tensor(prompt)
            mask[place, width - len(prompt) :] = 1
        batch = cls(loaded.model, shared, _new_cache(loaded.model.config), mask.to(loaded.device), rows)
        # Of one variant, every row has an input of its own.
        inputs = [prompts.index(row.request.prompt) for row in rows] if shared is not None else list(range(len(rows)))
        batch._forward(ids.to(loaded.device), started, inputs)
        return batch

    @property
    def can_grow(self) -> bool:
        """Rows can be put side by side only where every layer keeps all keys."""
        return all(type(layer) is DynamicLayer for layer in self._cache.layers)

    def step(self) -> None:
        """One more token for every row."""
        started = time.perf_counter()
        last = torch.tensor([[row.tokens[-1]] for row in self.rows], device=self._mask.device)
        self._mask = torch.nn.functional.pad(self._mask, (0, 1), value=1)
        self._forward(last, started, list(range(len(self.rows))))

    def _forward(self, ids: torch.Tensor, started: float, inputs: list[int]) -> None:
        positions = (self._mask.cumsum(-1) - 1).clamp(min=0)[:, -ids.shape[1] :]
        if self._shared is not None:
            variants = [row.request.variant for row in self.rows]
            logits = self._shared.step(ids, self._mask, positions, self._cache, variants, inputs)
            self._mask = self._mask[torch.tensor(inputs, device=self._mask.device)]
        else:
            output = self._model(
                input_ids=ids,
                attention_mask=self._mask,
                position_ids=positions,
                past_key_values=self._cache,
                use_cache=True,
                logits_to_keep=1,
            )
            logits = output.logits[:, -1]
        for row, token in zip(self.rows, _choose(logits, self.rows), strict=True):
            if token is None:
                row.broken = True
            else:
                row.tokens.append(token)
        share = (time.perf_counter() - started) / len(self.rows)
        for row in self.rows:
            row.seconds += share

    def without(self, ends: set[int], done: Callable[[_Row], None]) -> _Batch | None:
        """The rows that go on; None when none does. Ended ones are handed to `done`."""
        kept = []
        for place, row in enumerate(self.rows):
            if row.broken or row.tokens[-1] in ends or len(row.tokens) >= row.request.max_new_tokens:
                done(row)
            else:
                kept.append(place)
        if len(kept) == len(self.rows):
            return self
        if not kept:
            return None
        chosen = torch.tensor(kept, device=self._mask.device)
        self._cache.batch_select_indices(chosen)
        self._mask, self.rows = self._mask[chosen], [self.rows[place] for place in kept]
        # With the longest row gone, columns may be left in which no row has a token.
        unused = int(self._mask.argmax(-1).min())
        if unused and self.can_grow:
            self._mask = self._mask[:, unused:]
            for layer in self._cache.layers:
                layer.keys, layer.values = layer.keys[:, :, unused:], layer.values[:, :, unused:]
        return self

    def joined(self, other: _Batch) -> _Batch:
        """Both batches as one, padded on the left to the wider one."""
        width = max(self._mask.shape[1], other._mask.shape[1])

        def widen(tensor: torch.Tensor, dim_from_last: int) -> torch.Tensor:
            missing = width - tensor.shape[-dim_from_last]
            return torch.nn.functional.pad(tensor, (0, 0) * (dim_from_last - 1) + (missing, 0))

        for mine, theirs in zip(self._cache.layers, other._cache.layers, strict=True):
            mine.keys = torch.cat([widen(mine.keys, 2), widen(theirs.keys, 2)])
            mine.values = torch.cat([widen(mine.values, 2), widen(theirs.values, 2)])
        self._mask = torch.cat([widen(self._mask, 1), widen(other._mask, 1)])
        self.rows += other.rows
        return self


def _choose(logits: torch.Tensor, rows: Sequence[_Row]) -> list[int | None]:
    """The next token of every row; None where the logits are not finite, which would choose any.

    Args:
        logits: `[rows, vocabulary]`.
    """
    # The largest is NaN where any is.
    largest, first = logits.max(-1)
    greedy: list[int | None] = [
        token if fine else None for token, fine in zip(first.tolist(), largest.isfinite().tolist(), strict=True)
    ]
    for place, row in enumerate(rows):
        if row.generator is None or greedy[place] is None:
            continue
        # In fp64: the running sum over a large vocabulary would lose the tail in fp32.
        shares = (logits[place].double() / row.request.temperature).softmax(-1).cumsum(-1)
        drawn = torch.rand(1, generator=row.generator, dtype=torch.float64).to(logits.device) * shares[-1]
        greedy[place] = min(int(torch.searchsorted(shares, drawn, right=True)), logits.shape[-1] - 1)
    return greedy
