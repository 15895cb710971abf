"""Questions and answers as token ids with labels: only the answer and the end of the turn have a loss.

Where the answer stands is a matter of character positions, and which token stands there of the tokenizer's offsets. No marker
string is looked for, so any chat template will do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lensbench.errors import UnavailableError, UsageError
from lensbench.methods.sft.template import assistant_end, encode_with_offsets, user_turn

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

__all__ = ["IGNORED", "Encoded", "EncodedSet", "Example", "Layout", "chat_layout", "encode", "encode_all"]

IGNORED = -100
"""The label of a token without loss, as torch and transformers have it."""


@dataclass(frozen=True)
class Example:
    """One training example: the question and the wanted answer."""

    question: str
    answer: str
    pool: str
    """`<rows>/<language>` it was taken from."""


@dataclass(frozen=True)
class Layout:
    """How a question becomes the text in front of the answer, and what ends the answer."""

    prompt: Callable[[str], str]
    end: str
    """Text right after the answer that is learned with it: the end of the turn."""


@dataclass(frozen=True)
class Encoded:
    """One training row; both lists have the same length."""

    ids: list[int]
    labels: list[int]
    """The id itself where there is loss, else `IGNORED`; not shifted."""
    truncated: bool

    @property
    def loss_tokens(self) -> int:
        return sum(label != IGNORED for label in self.labels)


@dataclass
class EncodedSet:
    """The rows of a training set, and what became of the others; counts are by pool."""

    rows: list[Encoded] = field(default_factory=list)
    used: Counter[str] = field(default_factory=Counter)
    empty: Counter[str] = field(default_factory=Counter)
    """Left out: nothing but white space for an answer."""
    too_long: Counter[str] = field(default_factory=Counter)
    """Left out: no room for an answer in the window or, where answers are never cut, for the whole of it."""
    truncated: Counter[str] = field(default_factory=Counter)
    """Used, with the answer cut on the right; such a row has no end of the turn."""

    def counts(self, pool: str) -> dict[str, int]:
        return {name: getattr(self, name)[pool] for name in ("used", "empty", "too_long", "truncated")}


def chat_layout(tokenizer: PreTrainedTokenizerBase, system_text: str | None) -> Layout:
    """Questions as the user's turn of the model's chat template, ended as the template ends an answer.

    Args:
        system_text: As in evaluation; None sends no system message.

    Raises:
        UsageError: no chat template, or one that does not mark the end of an answer.
    """
    end = assistant_end(tokenizer, system_text)
    return Layout(lambda question: user_turn(tokenizer, question, system_text), end)


def encode(
    tokenizer: PreTrainedTokenizerBase, prompt: str, answer: str, end: str, max_length: int, *, truncate: bool = True
) -> Encoded | None:
    """One row: the prompt, the answer and its end as one text, encoded once.

    A token has loss when its characters begin at or after the answer's first one; a token that begins in the prompt has none.
    What the tokenizer puts after the end is dropped.

    Args:
        answer: Not blank; without white space at its ends.
        max_length: Tokens in all.
        truncate: Whether an answer that does not fit is cut on the right.

    Returns:
        None when it does not fit: no token of the answer does or, without `truncate`, not all of them.
    """
    text = prompt + answer + end
    ids, spans = encode_with_offsets(tokenizer, text)
    has_loss = [first >= len(prompt) and last > first for first, last in spans]
    length = max(index for index, loss in enumerate(has_loss) if loss) + 1
    kept = min(length, max_length)
    if not any(has_loss[:kept]) or (kept < length and not truncate):
        return None
    labels = [token if loss else IGNORED for token, loss in zip(ids[:kept], has_loss[:kept], strict=True)]
    return Encoded(ids[:kept], labels, kept < length)


def encode_all(
    tokenizer: PreTrainedTokenizerBase, examples: Iterable[Example], layout: Layout, max_length: int, *, truncate: bool = True
) -> EncodedSet:
    """Encode a training set; what cannot be used is left out and counted.

    Raises:
        UnavailableError: the tokenizer knows no character offsets.
        UsageError: nothing is left.
    """
    if not tokenizer.is_fast:
        raise UnavailableError(
            f"the tokenizer of {tokenizer.name_or_path} gives no character offsets, which are needed to place the loss",
            "Put a tokenizer.json (a fast tokenizer) next to the model.",
        )
    found = EncodedSet()
    for example in examples:
        answer = example.answer.strip()
        if not answer:
            found.empty[example.pool] += 1
            continue
        row = encode(tokenizer, layout.prompt(example.question), answer, layout.end, max_length, truncate=truncate)
        if row is None:
            found.too_long[example.pool] += 1
            continue
        found.rows.append(row)
        found.used[example.pool] += 1
        found.truncated[example.pool] += row.truncated
    if not found.rows:
        raise UsageError(
            f"no example is left to train on: {found.too_long.total()} do not fit into max_length {max_length}, "
            f"{found.empty.total()} have an empty answer",
            "Use a larger max_length.",
        )
    return found
