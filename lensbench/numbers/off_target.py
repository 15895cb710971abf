"""Where the answers went, in counts: in the wanted language, in another, and what the script says of those in another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from lensbench.grading.fidelity import is_strict, is_trusted, is_unknown
from lensbench.grading.repetition import is_degenerate
from lensbench.jsonio import JsonObject
from lensbench.languages import get_language, is_in_script, script_distinguishes
from lensbench.records import AnswerRecord, Grader, IdentifiedRecord, RunFolder
from lensbench.records.counting import conversations, last_identified
from lensbench.records.from_object import from_object

__all__ = ["OffTarget", "off_target_counts"]


@dataclass
class OffTarget:
    """Answers of one variant on one task in one language, by one identifier; every turn counts.

    Attributes:
        identifier: Its signature.
        answers: Answers of the model: the sum of the next four.
        on_target: With the label of the asked language, read strictly.
        off_target: With the label of another language.
        unknown: With a label below the floor, or one that stands for no language.
        empty: With white space only.
        off_target_in_script: Of those off target, those whose every letter is of the asked language's script; None if the script
            is not known.
        on_target_degenerate: Of those on target, those that mostly repeat themselves.
    """

    task: str
    language: str
    variant: str
    identifier: str
    answers: int = 0
    on_target: int = 0
    off_target: int = 0
    unknown: int = 0
    empty: int = 0
    off_target_in_script: int | None = 0
    on_target_degenerate: int = 0

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> OffTarget:
        """Counts as they stand in `results.json`."""
        return from_object(cls, content)

    @property
    def grader(self) -> Grader:
        return Grader.parse(self.identifier, "identifier")

    @property
    def script_distinguishes(self) -> bool:
        """Whether the script can tell the asked language from English. If not, `off_target_in_script` says nothing."""
        return script_distinguishes(get_language(self.language))

    @property
    def share_in_script(self) -> float | None:
        """Of the answers off target, the share wholly in the asked language's script; None without any, or if it is not known."""
        if self.off_target_in_script is None or not self.off_target:
            return None
        return self.off_target_in_script / self.off_target

    def as_dict(self) -> JsonObject:
        return asdict(self)


def off_target_counts(folder: RunFolder) -> list[OffTarget]:
    """Counts for every task, language, variant and identifier that has labels for the language, from the records only."""
    spoken = conversations(folder.records(AnswerRecord)).values()
    texts = {answer.key: answer.parts.answer for turns in spoken for answer in turns.values()}
    found: dict[tuple[str, str, str, str], OffTarget] = {}
    for record in last_identified(folder.records(IdentifiedRecord)).values():
        if record.state == "not_covered":
            continue
        place = (record.task, record.language, record.variant, record.identifier)
        counts = found.setdefault(place, OffTarget(*place))
        for turn in record.turns:
            if turn.state is None:
                _count(counts, turn.label, turn.probability, texts.get(turn.answer))
    return [counts for counts in found.values() if counts.answers]


def _count(counts: OffTarget, label: str | None, probability: float | None, text: str | None) -> None:
    language = get_language(counts.language)
    counts.answers += 1
    if label is None:
        counts.empty += 1
    elif is_unknown(label) or not is_trusted(probability, counts.grader.floor):
        counts.unknown += 1
    elif is_strict(label, language):
        counts.on_target += 1
        counts.on_target_degenerate += text is not None and is_degenerate(text)
    else:
        counts.off_target += 1
        # A text that is gone may have been in any script.
        inside = None if text is None else is_in_script(text, language)
        before = counts.off_target_in_script
        counts.off_target_in_script = None if before is None or inside is None else before + inside
