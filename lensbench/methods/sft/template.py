"""Text that a chat template writes around an answer, found by rendering."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lensbench.engines.chat import render_chat
from lensbench.engines.specials import added_around
from lensbench.errors import UsageError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

__all__ = ["assistant_end", "encode_with_offsets", "user_turn"]

_QUESTION = "question"
_ANSWER = "answer"


def user_turn(tokenizer: PreTrainedTokenizerBase, question: str, system_text: str | None) -> str:
    """The prompt of a question as evaluation asks it: one user turn, then the generation prompt."""
    return render_chat(tokenizer, [{"role": "user", "content": question}], system_text)


def assistant_end(tokenizer: PreTrainedTokenizerBase, system_text: str | None) -> str:
    """The text that ends an answer: what the template puts after it, up to and including the first token that is not plain text.

    The answer's end is where the renderings of an answer and of the same answer gone on differ. What the template puts behind the
    end of the turn (Phi-3.5 a line break and the end of the text, ChatML a line break) is never generated, so it is not learned.

    Raises:
        UsageError: the tokenizer has no chat template, the template changes answers, or it puts nothing after them.
    """
    whole = _dialogue(tokenizer, _ANSWER, system_text)
    # Two ways to go on, because what follows may happen to begin with one of the letters.
    stop = min(_common(whole, _dialogue(tokenizer, _ANSWER + more, system_text)) for more in "xy")
    if not whole[:stop].endswith(_ANSWER):
        raise UsageError(
            f"the chat template of {tokenizer.name_or_path} changes an answer", f"An answer '{_ANSWER}' is rendered as {whole!r}."
        )
    tail = whole[stop:].rstrip()
    if not tail:
        raise UsageError(
            f"the chat template of {tokenizer.name_or_path} puts nothing after an answer, so no end of the turn can be learned",
            "Add the end-of-turn token to the template's assistant turn.",
        )
    markers = set(tokenizer.added_tokens_decoder)
    ids, spans = encode_with_offsets(tokenizer, whole)
    for token, (first, last) in zip(ids, spans, strict=True):
        if first >= stop and last > first and token in markers:
            return whole[stop:last]
    return tail


def encode_with_offsets(tokenizer: PreTrainedTokenizerBase, text: str) -> tuple[list[int], list[tuple[int, int]]]:
    """Token ids of a rendered text with one BOS at most, and the characters `[first, last)` each stands for.

    A BOS that the tokenizer adds stands for no character; what it adds behind the text is taken away.
    """
    bos = tokenizer.bos_token
    special = not (bos and text.startswith(bos))
    encoded = tokenizer(text, add_special_tokens=special, return_offsets_mapping=True)
    ids = list(encoded["input_ids"])
    behind = len(added_around(tokenizer)[1]) if special else 0
    kept = len(ids) - behind
    return ids[:kept], [(int(first), int(last)) for first, last in encoded["offset_mapping"][:kept]]


def _common(one: str, other: str) -> int:
    """Length of the beginning two texts have in common."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((index for index, (a, b) in pairs if a != b), min(len(one), len(other)))


def _dialogue(tokenizer: PreTrainedTokenizerBase, answer: str, system_text: str | None) -> str:
    turns = [{"role": "user", "content": _QUESTION}, {"role": "assistant", "content": answer}]
    return render_chat(tokenizer, turns, system_text, add_generation_prompt=False)
