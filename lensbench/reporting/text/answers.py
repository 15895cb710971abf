"""Answers of all variants side by side, turn by turn, with the language they are in and the rating they got."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from lensbench.grading.repetition import is_degenerate
from lensbench.records import AnswerRecord, IdentifiedRecord, IdentifiedTurn, ItemRecord, RunFolder
from lensbench.records.counting import conversations, final_verdicts, turns_of
from lensbench.reporting.text.fidelity import identified_text

__all__ = ["answer_lines", "quote"]

_REASONING_SHOWN = 400
_SAMPLES = 4
"""Questions shown per language."""


def answer_lines(folder: RunFolder, variants: list[str]) -> list[str]:
    """Markdown for the first questions of every language."""
    answers = conversations(folder.records(AnswerRecord))
    if not answers:
        return []
    answered = {item for item, _ in answers}
    identified = turns_of(folder.records(IdentifiedRecord))
    ratings: dict[str, list[str]] = defaultdict(list)
    for verdict in final_verdicts(folder):
        if verdict.repeat == 0:
            rated = verdict.state == "ok" and verdict.rating is not None
            rating = f"{verdict.rating:g}" if rated else verdict.state.replace("_", " ")
            ratings[verdict.answer].append(f"{verdict.grader.name}: {rating}")
    parts = ["## Answers", "", "Cut where the profile says. Read them: the right language is not yet a good answer.", ""]
    shown: dict[str, int] = defaultdict(int)
    for item in folder.records(ItemRecord):
        if item.key not in answered or shown[item.language] >= _SAMPLES:
            continue
        shown[item.language] += 1
        for turn, said in enumerate(item.turns, start=1):
            place = f"{item.language}, question {(item.doc_id or 0) + 1}" + (f", turn {turn}" if len(item.turns) > 1 else "")
            parts += [f"**{place}**", "", *quote(said), ""]
            for variant in variants:
                answer = answers.get((item.key, variant), {}).get(turn)
                if answer:
                    parts += [_about(variant, answer, identified, ratings), "", *_shown(answer), ""]
    return parts


def _about(variant: str, answer: AnswerRecord, identified: Mapping[str, IdentifiedTurn], ratings: Mapping[str, list[str]]) -> str:
    tokens = "unknown" if answer.tokens is None else answer.tokens
    facts = [f"identified: {identified_text(identified.get(answer.key))}", f"{tokens} tokens"]
    finish = answer.finish or "stop"
    if finish != "stop":
        facts.append("cut" if finish == "length" else finish.replace("_", " "))
    if is_degenerate(answer.parts.answer):
        facts.append("repetitive")
    return f"{variant} ({', '.join([*facts, *ratings.get(answer.key, ())])})"


def _shown(answer: AnswerRecord) -> list[str]:
    """The answer; what was thought before it stands above, cut, since only the answer is measured."""
    parts = answer.parts
    if not parts.found:
        return quote(answer.text)
    ending = "" if parts.closed else "; no answer was begun"
    thought = f"reasoning, {len(parts.reasoning):,} characters, not measured{ending}:"
    cut = parts.reasoning[:_REASONING_SHOWN] + (" ..." if len(parts.reasoning) > _REASONING_SHOWN else "")
    return [thought, "", *quote(cut), "", "answer:", "", *quote(parts.answer)]


def quote(text: str) -> list[str]:
    """Model text as an indented code block: nothing in it is interpreted."""
    return ["    " + "".join(c if c.isprintable() else " " for c in line) for line in text.splitlines() or [""]]
