"""The gradings of a run: one unit per answer and repetition, with the messages for the judge."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lensbench.grading.judge.injection import injections
from lensbench.grading.judge.prompts import Form
from lensbench.grading.judge.registry import Judge
from lensbench.languages import get_language
from lensbench.reasoning import ANSWERED
from lensbench.records import AnswerRecord, ItemRecord, RunFolder
from lensbench.records.counting import Conversation, conversations

__all__ = ["TURNS_GRADED", "Grading", "gradable", "gradings"]

TURNS_GRADED = 2
"""The published prompts know two turns; later ones of a task of one's own are answered but not graded."""


@dataclass(frozen=True)
class Grading:
    """One answer to be graded once."""

    answer: str
    """Key of the answer's record."""
    item: str
    variant: str
    task: str
    language: str
    profile: str
    category: str | None
    turn: int
    repeat: int
    form: Form
    reference_from: str | None
    """Column the reference came from; "missing" where the category wants one and there is none; None where none is wanted."""
    messages: tuple[dict[str, str], ...]
    said: tuple[str, ...] = ()
    """The answers in the prompt, without reasoning; the last one is graded."""
    injection: tuple[str, ...] = ()
    """Kinds of text in the graded answer that address the judge."""

    def key(self, judge: Judge, attempt: int) -> str:
        return f"{self.answer}:{judge.signature}:{self.repeat}:{attempt}"


def gradings(folder: RunFolder, judge: Judge, *, tasks: Sequence[str], repeats: int) -> Iterator[Grading]:
    """All units of a run in the order of its items, for answers that are there and are answers.

    Args:
        tasks: Names of the tasks to grade.
        repeats: How often every answer is graded.
    """
    answers = conversations(folder.records(AnswerRecord))
    variants = list(folder.read_json("variants.json")["variants"])
    for repeat in range(repeats):
        for item in folder.records(ItemRecord):
            if item.task not in tasks or not item.turns:
                continue
            for variant in variants:
                by_turn = answers.get((item.key, variant), {})
                for turn in sorted(by_turn)[:TURNS_GRADED]:
                    if gradable(by_turn, turn):
                        yield _grading(judge, item, variant, by_turn, turn, repeat)


def gradable(by_turn: Conversation, turn: int) -> bool:
    """Whether there is an answer of the model to grade, and before it answers of the model to show."""
    return all(t in by_turn and by_turn[t].answer_state in ANSWERED for t in range(1, turn + 1))


def _grading(judge: Judge, item: ItemRecord, variant: str, by_turn: Conversation, turn: int, repeat: int) -> Grading:
    references, column = pick_reference(judge, item.doc, turn)
    form: Form = ("turn1_reference" if references else "turn1") if turn == 1 else ("turn2_reference" if references else "turn2")
    said = tuple(by_turn[t].parts.answer for t in range(1, turn + 1))
    messages = judge.prompts.messages(
        form,
        {
            "questions": item.turns[:turn],
            "answers": list(said),
            "references": references,
            "language": get_language(item.language).name,
        },
    )
    return Grading(
        answer=by_turn[turn].key,
        item=item.key,
        variant=variant,
        task=item.task,
        language=item.language,
        profile=item.profile,
        category=item.category,
        turn=turn,
        repeat=repeat,
        form=form,
        reference_from=column,
        messages=tuple({"role": m["role"], "content": _sendable(m["content"])} for m in messages),
        said=said,
        injection=injections(said[-1]),
    )


def pick_reference(judge: Judge, doc: Mapping[str, Any], turn: int) -> tuple[list[str], str | None]:
    """The reference answers up to a turn and the column they come from (docs/judging.md).

    A reference that is there for turn 1 only serves turn 1 only: the prompt of turn 2 shows both.
    """
    wanted = judge.file.references
    if doc.get("category") not in wanted.categories:
        return [], None
    for column in wanted.order:
        texts = [str(text) for text in (doc.get(column) or ())[:turn]]
        if len(texts) == turn and all(text.strip() for text in texts):
            return texts, column
    return [], "missing"


def _sendable(text: str) -> str:
    """Lone surrogates cannot be sent as UTF-8; each becomes a question mark, all else goes as it is."""
    return text.encode("utf-8", "replace").decode("utf-8")
