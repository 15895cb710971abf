"""One scored item as a metric reads it, and the choice that a model prefers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["ScoredItem", "gold_choice", "likeliest"]


@dataclass(frozen=True)
class ScoredItem:
    """One item that a model scored. Every list has one entry for each choice, in the order of the choices.

    Attributes:
        doc: The row of the data set.
        choices: Continuations as they were scored, with the delimiter before them.
        gold: Number of the right choice, from 0; None where the task does not have exactly one.
        loglikelihoods: Nats of the whole continuation; under a profile that scores the first token, of that token.
        greedy: Whether the continuation is what greedy decoding gives.
        tokens: Number of tokens that were scored.
    """

    doc: Mapping[str, Any]
    choices: tuple[str, ...]
    gold: int | None
    loglikelihoods: tuple[float, ...]
    greedy: tuple[bool, ...]
    tokens: tuple[int, ...]


def likeliest(loglikelihoods: Sequence[float | None]) -> int | None:
    """The choice with the highest log-likelihood, the first of equals.

    Returns:
        None where there is no choice, or one has no log-likelihood.
    """
    known = [value for value in loglikelihoods if value is not None]
    if not known or len(known) < len(loglikelihoods):
        return None
    return known.index(max(known))


def gold_choice(gold: str, choices: Sequence[str]) -> int | None:
    """The choice that an item's record calls right: by its text, else by its number (tasks whose choices are contexts give one).

    Returns:
        None where the record names none, or its text is that of several.
    """
    matching = [number for number, choice in enumerate(choices) if choice.strip() == gold.strip()]
    if len(matching) == 1:
        return matching[0]
    return int(gold) if gold.isdecimal() and int(gold) < len(choices) else None
