"""The states of records: which of them mean that there is no answer or no score, and a sentence for each."""

from __future__ import annotations

__all__ = ["SCORED", "SENTENCES", "UNANSWERED", "UNSCORED"]

UNANSWERED = ("no_room", "not_finite")
"""Of answers: the harness or the model's arithmetic failed, so nothing was answered. Neither an identifier nor a judge is shown
them, and they are in no mean. An `empty` answer is one: the model ended its turn at once."""

SCORED = ("ok", "empty", "generated", "no_match")
"""Of items: what has a score. Of text that lm-eval generated: its filter found an answer in it, or none, which is wrong."""

UNSCORED = (*UNANSWERED, "truncated", "letters_collide")
"""Of items: what leaves one without a score before an identifier or a judge sees it."""

SENTENCES = {
    "no_room": "the prompt fills the model's window, so nothing was generated",
    "not_finite": "the model's logits are not finite (NaN or infinity): broken weights, or a dtype too small for them",
    "truncated": "prompt and option are longer than the model's window, so their beginning would be cut off",
    "letters_collide": "the tokenizer begins several option letters with one token, so they cannot be distinguished",
    "empty_choice": "a choice is empty or white space: there is nothing to score",
    "equal_choices": "the right choice appears twice",
    "only_reasoning": "the answer ended inside its reasoning",
    "not_covered": "the identifier has no label for the asked language",
    "only_code": "the answer contains only code",
    "unknown": "the identifier gives its label a probability below its floor, so no language is known",
}
"""State -> why an item has no score."""
