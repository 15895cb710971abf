"""Special tokens that a tokenizer adds to a text: those before the text stay, those after it are removed.

Fine-tunes are often saved with `add_eos_token: true`. An end of text between a question and its option, or behind a prompt,
makes another request of it, and nothing says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from lensbench.errors import UsageError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

__all__ = ["added_around", "encode_batch", "encode_text"]

_PROBE = "a"
_KNOWN: WeakKeyDictionary[Any, tuple[list[int], list[int]]] = WeakKeyDictionary()
"""Results for each tokenizer in memory."""


def added_around(tokenizer: PreTrainedTokenizerBase) -> tuple[list[int], list[int]]:
    """The ids that the tokenizer puts in front of a text and behind it.

    Raises:
        UsageError: what it makes of a text by itself is no part of what it makes of it with special tokens.
    """
    if tokenizer not in _KNOWN:
        _KNOWN[tokenizer] = _find_added(tokenizer)
    return _KNOWN[tokenizer]


def _find_added(tokenizer: PreTrainedTokenizerBase) -> tuple[list[int], list[int]]:
    plain = list(tokenizer(_PROBE, add_special_tokens=False)["input_ids"])
    whole = list(tokenizer(_PROBE)["input_ids"])
    for start in range(len(whole) - len(plain) + 1):
        if plain and whole[start : start + len(plain)] == plain:
            return whole[:start], whole[start + len(plain) :]
    raise UsageError(
        f"the tokenizer of {tokenizer.name_or_path} encodes a text differently when it adds special tokens",
        f"{_PROBE!r} is {plain} by itself and {whole} with them.",
    )


def encode_text(tokenizer: PreTrainedTokenizerBase, text: str, **options: Any) -> list[int]:
    """Ids of one text, as `encode_batch` makes them."""
    return _trimmed(tokenizer, [list(tokenizer.encode(text, **options))], options)[0]


def encode_batch(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], **options: Any) -> list[list[int]]:
    """Ids of each text with the tokens that the tokenizer adds before it (only one BOS if it adds two), without those after it.

    Args:
        options: `add_special_tokens`, of the tokenizer's own.
    """
    return _trimmed(tokenizer, [list(ids) for ids in tokenizer(list(texts), **options)["input_ids"]], options)


def _trimmed(tokenizer: PreTrainedTokenizerBase, found: list[list[int]], options: Mapping[str, Any]) -> list[list[int]]:
    if options.get("add_special_tokens") is False:
        return found
    front, back = added_around(tokenizer)
    spare = 0
    while spare + 1 < len(front) and front[spare] == front[spare + 1] == tokenizer.bos_token_id:
        spare += 1
    if not back and not spare:
        return found
    return [ids[spare : len(ids) - len(back)] if ids[len(ids) - len(back) :] == back else ids[spare:] for ids in found]
