"""Rendering prompts through a chat template, once, to ids with exactly one BOS."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lensbench.errors import UsageError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

__all__ = ["encode_prompt", "render_chat", "truncate_content"]


def render_chat(
    tokenizer: PreTrainedTokenizerBase,
    messages: Sequence[dict[str, Any]],
    system_text: str | None,
    *,
    add_generation_prompt: bool = True,
) -> str:
    """The prompt as text.

    Args:
        messages: `{"role": ..., "content": ...}` turns.
        system_text: Put in front as a system message, also when empty; None sends none.

    Raises:
        UsageError: the tokenizer has no chat template.
    """
    if not tokenizer.chat_template:
        raise UsageError(
            f"the tokenizer of {tokenizer.name_or_path} has no chat template",
            "A base model can be scored with --profile lm-eval, which asks without one.",
        )
    turns = list(messages)
    if system_text is not None and (not turns or turns[0]["role"] != "system"):
        turns.insert(0, {"role": "system", "content": system_text})
    return str(tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=add_generation_prompt))


def encode_prompt(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """Token ids of a rendered prompt, with one BOS at most: a template that writes BOS itself gets no second one."""
    bos = tokenizer.bos_token
    if bos and text.startswith(bos):
        return list(tokenizer.encode(text, add_special_tokens=False))
    return list(tokenizer.encode(text))


def truncate_content(tokenizer: PreTrainedTokenizerBase, text: str, max_tokens: int | None) -> str:
    """The longest beginning of a text that is at most `max_tokens` tokens, cut at a character boundary.

    Only content is cut, before it enters the template, so that the generation prompt always survives (docs/lens.md).
    """
    if max_tokens is None:
        return text
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    if len(encoded["input_ids"]) <= max_tokens:
        return text
    return text[: encoded["offset_mapping"][max_tokens - 1][1]]
