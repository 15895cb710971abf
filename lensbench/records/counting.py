"""Which of several records counts: the rules that all numbers and all views share."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

from lensbench.records.grader import Grader, preferred
from lensbench.records.run_folder import RunFolder
from lensbench.records.types import AnswerRecord, IdentifiedRecord, IdentifiedTurn, ScoreRecord, UngradedRecord, VerdictRecord

__all__ = ["Conversation", "conversations", "final_verdicts", "graders", "last_identified", "last_scores", "turns_of"]

Conversation = dict[int, AnswerRecord]
"""Turn -> the answer to it."""


def last_scores(records: Iterable[ScoreRecord]) -> dict[tuple[str, str], ScoreRecord]:
    """(item, variant) -> its score. If there are several, the last one counts, from the latest start."""
    return {(record.item, record.variant): record for record in records}


def conversations(records: Iterable[AnswerRecord]) -> dict[tuple[str, str], Conversation]:
    """(item, variant) -> its answers by turn. If a turn has several, the last one counts."""
    found: dict[tuple[str, str], Conversation] = {}
    for record in records:
        found.setdefault((record.item, record.variant), {})[record.turn] = record
    return found


def last_identified(records: Iterable[IdentifiedRecord]) -> dict[tuple[str, str, str], IdentifiedRecord]:
    """(identifier, item, variant) -> what that identifier made of the conversation.

    A conversation is identified again when a further turn was answered, so the last record is the whole one.
    """
    return {(record.identifier, record.item, record.variant): record for record in records}


def turns_of(records: Iterable[IdentifiedRecord]) -> dict[str, IdentifiedTurn]:
    """Answer -> its language by the preferred identifier, for views that show one language per answer."""
    last = last_identified(records)
    rank = {str(grader): place for place, grader in enumerate(preferred(record.grader for record in last.values()))}
    found: dict[str, IdentifiedTurn] = {}
    for record in sorted(last.values(), key=lambda record: rank[record.identifier]):
        for turn in record.turns:
            found.setdefault(turn.answer, turn)
    return found


def final_verdicts(folder: RunFolder) -> list[VerdictRecord | UngradedRecord]:
    """One record per answer, judge and repetition: the first verdict that could be read, else the last try, else the failure."""
    final: dict[tuple[str, str, int], VerdictRecord | UngradedRecord] = {}
    records: Iterable[VerdictRecord | UngradedRecord] = chain(folder.records(UngradedRecord), folder.records(VerdictRecord))
    for record in records:
        before = final.get(record.grading)
        if before is None or before.state != "ok":
            final[record.grading] = record
    return list(final.values())


def graders(folder: RunFolder) -> set[Grader]:
    """All identifiers and judges that a run has records of."""
    identifiers = {record.grader for record in folder.records(IdentifiedRecord)}
    return identifiers | {record.grader for record in final_verdicts(folder)}
