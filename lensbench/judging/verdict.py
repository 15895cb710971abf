"""Reading a rating out of what a judge wrote."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["UNSCORED", "Rating", "read_rating"]

UNSCORED = ("unparsable", "out_of_range", "refused", "rejected", "failed", "not_replayed", "no_answer")
"""States of a graded answer that has no rating. The last four never got a verdict: the server refused the request (it is too
long, say), every attempt failed, the replay file does not hold it, or there was no answer to grade."""

# FastChat's rule: a number in double brackets, else one in single brackets. ASCII digits only: `\d` would also take ８.
_DOUBLE = re.compile(r"\[\[([0-9]+\.?[0-9]*)\]\]")
_SINGLE = re.compile(r"\[([0-9]+\.?[0-9]*)\]")


@dataclass(frozen=True)
class Rating:
    """What could be read."""

    state: str
    """"ok", "unparsable" or "out_of_range"."""
    value: float | None
    """None unless the state is "ok"."""


def read_rating(text: str, low: float = 1, high: float = 10) -> Rating:
    """The first `[[number]]`, else the first `[number]` (lm-sys/FastChat, llm_judge/common.py).

    A number outside the scale is no rating: FastChat would average it in.
    """
    match = _DOUBLE.search(text) or _SINGLE.search(text)
    if match is None:
        return Rating("unparsable", None)
    value = float(match.group(1))
    return Rating("ok", value) if low <= value <= high else Rating("out_of_range", None)
