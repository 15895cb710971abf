"""Metrics of language fidelity: shares of questions answered in the asked language, by part of the conversation and reading.

Their names are made and read here. `lf_turn1` is of the first answer and `lf_response` the mean over the turns.
`lf_question_concat` is of the joined answers. `lf_question_all` is 1 where every turn is faithful. A suffix tells how the label
was read.
"""

from __future__ import annotations

from lensbench.metrics.basis import LANGUAGES
from lensbench.metrics.metric import Metric
from lensbench.metrics.unit import SHARE

__all__ = [
    "LENIENT",
    "READINGS",
    "STRICT",
    "WITHOUT_CODE",
    "fidelity_metric",
    "fidelity_name",
    "split_fidelity_name",
    "turn_part",
]

_PREFIX = "lf_"
STRICT, LENIENT, WITHOUT_CODE = "", "lenient", "strip_code"
READINGS = {STRICT: "strict", LENIENT: "lenient", WITHOUT_CODE: "strict, without code"}
"""Reading of a label -> its description."""

_RESPONSE, _CONCAT = "response", "question_concat"


def turn_part(turn: int) -> str:
    """The part of a conversation that is one turn, from 1."""
    return f"turn{turn}"


_TITLES = {
    turn_part(1): "answers in the asked language",
    _RESPONSE: "answers in the asked language, both turns",
    _CONCAT: "conversations in the asked language",
}
"""Parts that the one table shows, where their labels are read strictly."""
_HEADLINES = {_RESPONSE: 0, turn_part(1): 1}


def fidelity_name(part: str, reading: str = STRICT) -> str:
    """Name of the metric of a part (`turn1`, `response`, `question_concat`, `question_all`) under a reading."""
    return f"{_PREFIX}{part}" + (f"_{reading}" if reading else "")


def split_fidelity_name(name: str) -> tuple[str, str] | None:
    """(part, reading) of a metric's name; None where the name is of another metric."""
    if not name.startswith(_PREFIX):
        return None
    reading = next((r for r in READINGS if r and name.endswith(f"_{r}")), STRICT)
    return name.removeprefix(_PREFIX).removesuffix(f"_{reading}" if reading else ""), reading


def fidelity_metric(name: str) -> Metric | None:
    """The metric of this name; None where it is none of language fidelity."""
    found = split_fidelity_name(name)
    if found is None:
        return None
    part, reading = found
    strict = reading == STRICT
    return Metric(
        name,
        _TITLES.get(part, name) if strict else name,
        SHARE,
        basis=LANGUAGES,
        short="asked language",
        headline=_HEADLINES.get(part) if strict else None,
        in_table=strict and part in _TITLES,
        replaced_by=fidelity_name(_RESPONSE) if strict and part == turn_part(1) else "",
        mark="language",
    )
