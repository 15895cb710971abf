"""Greedy answers one at a time by transformers' own `generate`: the reference for the faster path in `decode.py`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Protocol

import torch

from lensbench.backbones.load import LoadedBackbone
from lensbench.engines.protocol import GeneratedAnswer

__all__ = ["Speaks", "end_tokens", "finished_answer", "generate_reference"]


class Speaks(Protocol):
    """What is needed to read an answer: a loaded backbone, or one whose weights are not in memory."""

    @property
    def tokenizer(self) -> Any: ...

    @property
    def generation_config(self) -> Any: ...


@torch.inference_mode()
def generate_reference(loaded: LoadedBackbone, prompt: Sequence[int], max_new_tokens: int) -> GeneratedAnswer:
    """The greedy answer to one prompt.

    Args:
        prompt: Token ids.
        max_new_tokens: The answer is cut there.
    """
    started = time.perf_counter()
    input_ids = torch.tensor([list(prompt)], device=loaded.device)
    ends = end_tokens(loaded)
    output = loaded.model.generate(
        input_ids=input_ids,
        attention_mask=torch.ones_like(input_ids),
        max_new_tokens=max_new_tokens,
        do_sample=False,
        num_beams=1,
        # The backbone's own sampling settings would otherwise warn, and a repetition penalty would apply.
        temperature=None,
        top_p=None,
        top_k=None,
        repetition_penalty=1.0,
        eos_token_id=sorted(ends),
        pad_token_id=loaded.pad_id,
    )
    return finished_answer(loaded, output[0, len(prompt) :].tolist(), ends, time.perf_counter() - started)


def finished_answer(model: Speaks, tokens: Sequence[int], ends: set[int], seconds: float) -> GeneratedAnswer:
    """An answer from its new tokens, the end of turn included when it was reached."""
    end = next((i for i, token in enumerate(tokens) if token in ends), None)
    ids = list(tokens) if end is None else list(tokens[:end])
    text = model.tokenizer.decode(ids, skip_special_tokens=True)
    return GeneratedAnswer(text, len(ids), "length" if end is None else "stop", seconds)


def end_tokens(model: Speaks) -> set[int]:
    """End-of-turn tokens: the tokenizer's, and those of the generation config (Llama-3 has two)."""
    configured = model.generation_config.eos_token_id
    ends = {int(model.tokenizer.eos_token_id)} if model.tokenizer.eos_token_id is not None else set()
    if configured is not None:
        ends |= {int(i) for i in (configured if isinstance(configured, list) else [configured])}
    return ends
