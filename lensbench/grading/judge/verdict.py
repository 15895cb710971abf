"""Reading a rating from a judge's text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from lensbench.grading.judge.brackets import BARE, DOUBLE, RESULT, own_doubles, own_singles
from lensbench.reasoning import split_reasoning

__all__ = ["ONE_RATING", "Rating", "Rule", "read_rating"]

Rule = Literal["one-rating", "fastchat-first", "result"]
ONE_RATING: Rule = "one-rating"


@dataclass(frozen=True)
class Rating:
    """A rating, or the reason why there is none."""

    state: str
    """"ok", "unparsable", "out_of_range", or "only_reasoning": the text ends inside the judge's reasoning."""
    value: float | None
    """None unless the state is "ok"."""
    why: str = ""
    """Reason why no rating could be read."""


def read_rating(text: str, low: float = 1, high: float = 10, *, rule: Rule = ONE_RATING, answers: Sequence[str] = ()) -> Rating:
    """The rating that a judge gave.

    Args:
        rule: `one-rating`: of what stands outside reasoning, the judge's own ratings, `[[n]]` before `[n]`; they must be equal.
            Not its own are what it quotes (of the answer, or of the format's example) and brackets that are an index, a
            citation or code, the highest number of a scale (`8 out of [[10]]`), or of another scale (`[[4]] out of 5`).
            `fastchat-first`: the first `[[n]]`, else the first `[n]`, wherever it stands (lm-sys/FastChat,
            llm_judge/common.py). `result`: the last `[RESULT] n` outside reasoning, as Prometheus writes it.
        answers: What the judge read: words of these around a rating show that it is a quotation.

    A number outside the scale is no rating: FastChat would average it in. Linear in the length of the text.
    """
    if rule == "fastchat-first":
        match = DOUBLE.search(text) or BARE.search(text)
        return _rating([float(match.group(1))] if match else [], low, high)
    parts = split_reasoning(text)
    if parts.only_reasoning:
        return Rating("only_reasoning", None, "the reply ends inside its reasoning")
    if rule == "result":
        return _rating([float(number) for number in RESULT.findall(parts.answer)], low, high)
    return _rating(own_doubles(parts.answer, low, high, answers) or own_singles(parts.answer, high), low, high)


def _rating(values: Sequence[float], low: float, high: float) -> Rating:
    distinct = list(dict.fromkeys(values))
    if not distinct:
        return Rating("unparsable", None, "no rating in brackets that is the judge's own")
    outside = [value for value in distinct if not low <= value <= high]
    if len(distinct) > 1:
        shown = ", ".join(f"{value:g}" for value in distinct[:4]) + (" ..." if len(distinct) > 4 else "")
        return Rating("out_of_range" if outside else "unparsable", None, f"several ratings: {shown}")
    if outside:
        return Rating("out_of_range", None, f"{outside[0]:g} is outside the scale from {low:g} to {high:g}")
    return Rating("ok", distinct[0])
