"""Greedy answers in left-padded batches."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from lensbench.backbones.load import LoadedBackbone

__all__ = ["GeneratedAnswer", "generate_answers"]


@dataclass(frozen=True)
class GeneratedAnswer:
    """What a variant answered."""

    text: str
    tokens: int
    """New tokens, the end-of-turn token not counted."""
    finish: str
    """"stop" at the end of turn, "length" when the answer was cut."""
    seconds: float
    """The batch's wall seconds, divided by its size."""


@torch.inference_mode()
def generate_answers(loaded: LoadedBackbone, prompts: Sequence[Sequence[int]], max_new_tokens: int) -> list[GeneratedAnswer]:
    """Greedy answers to one batch of prompts.

    Args:
        prompts: Token ids per prompt; they may differ in length.
        max_new_tokens: Answers are cut there.
    """
    started = time.perf_counter()
    tokenizer, device = loaded.tokenizer, loaded.device
    width = max(len(ids) for ids in prompts)
    input_ids = torch.full((len(prompts), width), int(tokenizer.pad_token_id), dtype=torch.long)
    mask = torch.zeros_like(input_ids)
    for row, ids in enumerate(prompts):
        input_ids[row, width - len(ids) :] = torch.tensor(list(ids))
        mask[row, width - len(ids) :] = 1
    ends = _end_tokens(loaded)
    output = loaded.model.generate(
        input_ids=input_ids.to(device),
        attention_mask=mask.to(device),
        max_new_tokens=max_new_tokens,
        do_sample=False,
        num_beams=1,
        # The backbone's own sampling settings would otherwise warn, and a repetition penalty would apply.
        temperature=None,
        top_p=None,
        top_k=None,
        repetition_penalty=1.0,
        eos_token_id=sorted(ends),
        pad_token_id=int(tokenizer.pad_token_id),
    )
    seconds = (time.perf_counter() - started) / len(prompts)
    answers = []
    for row in output[:, width:].tolist():
        end = next((i for i, token in enumerate(row) if token in ends), None)
        ids = row if end is None else row[:end]
        text = tokenizer.decode(ids, skip_special_tokens=True)
        answers.append(GeneratedAnswer(text, len(ids), "length" if end is None else "stop", seconds))
    return answers


def _end_tokens(loaded: LoadedBackbone) -> set[int]:
    """End-of-turn tokens: the tokenizer's, and those of the generation config (Llama-3 has two)."""
    configured = loaded.model.generation_config.eos_token_id
    ends = {int(loaded.tokenizer.eos_token_id)} if loaded.tokenizer.eos_token_id is not None else set()
    if configured is not None:
        ends |= {int(i) for i in (configured if isinstance(configured, list) else [configured])}
    return ends
