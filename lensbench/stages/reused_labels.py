"""Identified languages in the store of finished work: of all conversations of one variant on one task, by their texts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lensbench.grading.fidelity import Identifier
from lensbench.records import AnswerRecord, IdentifiedRecord
from lensbench.records.reader import NotARecord, as_json, read_record
from lensbench.reuse import key_of_content, own_code

if TYPE_CHECKING:
    from lensbench.stages.reuse import Reuse

__all__ = ["keep_labels", "known_labels"]

_KIND = "identified"
_OF_A_RUN = ("key", "item", "variant", "task", "language", "profile", "identifier")

Conversations = Mapping[str, Sequence[AnswerRecord]]
"""Key of the record of a conversation -> its answers by turn."""


def known_labels(reuse: Reuse, identifier: Identifier, conversations: Conversations) -> dict[str, IdentifiedRecord]:
    """Records of the conversations whose texts were identified before, by their keys."""
    found: dict[str, IdentifiedRecord] = {}
    for group in _groups(conversations):
        key = _key(identifier, list(group.values()))
        content = reuse.store.get(_KIND, key)
        if content is None:
            continue
        try:
            records = [_record(own, group[own], identifier, one) for own, one in zip(group, content, strict=True)]
        except (NotARecord, TypeError, ValueError, KeyError):
            reuse.store.report_damage(_KIND, key, "it does not hold a label of each answer")
            continue
        found.update((record.key, record) for record in records)
    return found


def keep_labels(
    reuse: Reuse, identifier: Identifier, conversations: Conversations, records: Mapping[str, IdentifiedRecord]
) -> None:
    """Put what was identified now into the store.

    Args:
        records: By their key; a variant of which one is missing is not kept.
    """
    for group in _groups(conversations):
        if not all(key in records for key in group):
            continue
        key = _key(identifier, list(group.values()))
        content = [_content(records[own]) for own in group]
        reuse.store.put(_KIND, key, content, backbone=reuse.backbone, count=len(content))


def _groups(conversations: Conversations) -> Iterator[dict[str, Sequence[AnswerRecord]]]:
    """The conversations of each variant on each task, in the order of the items' ids: a log has them as they ended."""
    found: dict[tuple[str, ...], dict[str, Sequence[AnswerRecord]]] = {}
    for key, answers in sorted(conversations.items(), key=lambda one: one[1][0].item):
        first = answers[0]
        found.setdefault((first.variant, first.task, first.language, first.profile), {})[key] = answers
    yield from found.values()


def _key(identifier: Identifier, conversations: Sequence[Sequence[AnswerRecord]]) -> str:
    texts = [[[a.turn, a.text, a.state, a.reasoning_opened] for a in answers] for answers in conversations]
    return key_of_content([_KIND, own_code(), identifier.signature, conversations[0][0].language, texts])


def _content(record: IdentifiedRecord) -> dict[str, Any]:
    content = {name: value for name, value in as_json(record).items() if name not in _OF_A_RUN}
    content["turns"] = [{name: value for name, value in turn.items() if name != "answer"} for turn in content["turns"]]
    return content


def _record(key: str, answers: Sequence[AnswerRecord], identifier: Identifier, content: Any) -> IdentifiedRecord:
    first = answers[0]
    turns = [{"answer": answer.key, **turn} for answer, turn in zip(answers, content["turns"], strict=True)]
    own = {name: getattr(first, name) for name in ("item", "variant", "task", "language", "profile")}
    return read_record(IdentifiedRecord, {**content, "key": key, **own, "identifier": identifier.signature, "turns": turns})
