"""Language fidelity of one question, by five metrics.

The LENS paper does not say what it counts as one decision. Its printed values are multiples of 1/80, so it decided once per
question, but turn 1 only, both turns joined, and both turns at once cannot be told apart. All are computed, under names.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lensbench.grading.fidelity.code import strip_code
from lensbench.grading.fidelity.floor import UNSURE
from lensbench.grading.fidelity.identifier import Identified, Identifier
from lensbench.grading.fidelity.labels import is_lenient, is_strict
from lensbench.languages import Language
from lensbench.metrics import LENIENT, STRICT, WITHOUT_CODE, fidelity_name, turn_part

__all__ = ["ONLY_CODE", "identify_without_code", "join_turns", "question_units", "strip_code_units", "unsure_units"]

ONLY_CODE = "code"
"""Stands where a label would, for a text with nothing left once its code is taken away; no identifier has such a label."""


def join_turns(texts: Sequence[str]) -> str:
    """The answers to all turns as one line: joined by newlines, white space folded to single spaces."""
    return " ".join("\n".join(texts).split())


def identify_without_code(texts: Sequence[str], identifier: Identifier) -> Identified:
    """What is identified in one answer, or in several joined, once code is taken away; `ONLY_CODE` when nothing is left.

    Code is taken away from each answer by itself: a block that the first one never closes does not swallow the second.
    """
    left = join_turns([strip_code(text) for text in texts])
    if not left and join_turns(texts):
        return Identified(ONLY_CODE, None)
    return identifier.identify(left)


def question_units(turns: Sequence[str | None], joined: str | None, language: Language) -> dict[str, float | None]:
    """The units of one question, strict, and again lenient with the suffix `_lenient`.

    Args:
        turns: The label of every turn's answer; None for an empty answer, which is unfaithful; `UNSURE` for a label below the
            floor, which makes no unit of it 0 or 1.
        joined: The label of `join_turns` of the answers; not looked at when there is one turn.

    Returns:
        `lf_turn1`, and for several turns also `lf_turn2` and so on, `lf_response` (the mean over the turns),
        `lf_question_concat` (of the joined answers) and `lf_question_all` (1 when every turn is faithful). None for those that
        `unsure_units` names.
    """
    units = _units(turns, joined, lambda label: float(is_strict(label, language)), STRICT)
    return units | _units(turns, joined, lambda label: float(is_lenient(label, language)), LENIENT)


def strip_code_units(turns: Sequence[str | None], joined: str | None, language: Language) -> dict[str, float | None]:
    """The strict units of text without code, with the suffix `_strip_code`.

    Args:
        turns: Labels as from `identify_without_code`; a turn that is `ONLY_CODE` has no score, neither 0 nor 1, and
            `lf_response` and `lf_question_all` are of the other turns; None when there are none.
    """
    return _units(turns, joined, lambda label: None if label == ONLY_CODE else float(is_strict(label, language)), WITHOUT_CODE)


def unsure_units(turns: Sequence[str | None], joined: str | None, readings: Sequence[str] = (STRICT, LENIENT)) -> set[str]:
    """The units that have no value because a label lies below the floor: those of its turn, and those of all turns together."""
    parts = {turn_part(number) for number, label in enumerate(turns, 1) if label == UNSURE}
    if len(turns) > 1:
        parts |= {"response", "question_all"} if parts else set()
        parts |= {"question_concat"} if joined == UNSURE else set()
    return {fidelity_name(part, reading) for part in parts for reading in readings}


def _units(
    turns: Sequence[str | None], joined: str | None, score: Callable[[str | None], float | None], reading: str
) -> dict[str, float | None]:
    if not turns:
        raise ValueError("a question has at least one turn")
    scores = [score(label) for label in turns]
    units = {fidelity_name(turn_part(number), reading): value for number, value in enumerate(scores, 1)}
    if len(turns) > 1:
        scored = [value for value in scores if value is not None]
        units[fidelity_name("response", reading)] = sum(scored) / len(scored) if scored else None
        units[fidelity_name("question_concat", reading)] = score(joined)
        units[fidelity_name("question_all", reading)] = min(scored) if scored else None
    unsure = unsure_units(turns, joined, (reading,))
    return {name: None if name in unsure else value for name, value in units.items()}
