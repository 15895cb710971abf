"""Length of the longest input of a run, for engines that reserve memory for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lensbench.engines.chat import encode_prompt
from lensbench.engines.protocol import Encoder
from lensbench.plan.task_items import TaskItems

__all__ = ["longest_input"]

_TEMPLATE = 64
"""Tokens that a chat template puts around one turn, at most."""


def longest_input(encoder: Encoder, tokenizer: Any, tasks: Sequence[TaskItems]) -> int:
    """Tokens of the longest prompt with its continuation, or with all turns and answers of its conversation."""
    longest = 1
    for asked in tasks:
        if asked.planned.task.profile.generates:
            answer = asked.planned.task.generation.max_new_tokens + _TEMPLATE
            for item in asked.items:
                later = sum(len(encoder.tok_encode(text)) for text in item.turns[1:])
                prompt = len(encode_prompt(tokenizer, item.requests[0][0]))
                longest = max(longest, prompt + later + max(len(item.turns), 1) * answer)
            continue
        first_token = asked.planned.task.profile.scoring == "first_token"
        texts = [request for item in asked.items for request in item.requests]
        for _, context, target in encoder.token_requests(texts, first_token=first_token):
            longest = max(longest, len(context) + len(target) + 1)
    return longest
