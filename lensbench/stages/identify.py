"""The identification stage: which language each answer is in. It reads and writes records only, so it needs no model."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import TYPE_CHECKING, TypeVar

from lensbench.datasets.rows import row_hash
from lensbench.errors import LensbenchError
from lensbench.grading.fidelity import (
    Identifier,
    answered_cell,
    identify_without_code,
    join_turns,
    line_cells,
    load_identifier,
    question_units,
    strip_code_units,
    unsure_units,
)
from lensbench.grading.fidelity.cells import NO_ANSWER
from lensbench.grading.fidelity.floor import UNSURE
from lensbench.languages import Language, get_language
from lensbench.methods.base import Progress, SilentProgress
from lensbench.metrics import LENIENT, WITHOUT_CODE, split_fidelity_name, turn_part
from lensbench.reasoning import ANSWERED, READS
from lensbench.records import AnswerRecord, IdentifiedRecord, IdentifiedTurn, RecordLog, RunFolder
from lensbench.records.counting import conversations
from lensbench.records.run_languages import add_run_languages
from lensbench.stages.reused_labels import keep_labels, known_labels

if TYPE_CHECKING:
    from lensbench.stages.reuse import Reuse

__all__ = ["AUTO", "identify_stage", "pick_identifier"]

T = TypeVar("T")
AUTO = "auto"
"""GlotLID where it can be had, else lid.176."""


def pick_identifier(name: str, notify: Callable[[str], None]) -> Identifier:
    """The identifier a user named; for `auto` the choice is said aloud, and every cell names it.

    Raises:
        LensbenchError: a named one is not available.
    """
    if name != AUTO:
        return load_identifier(name, notify=notify)
    try:
        return load_identifier("glotlid", notify=notify)
    except LensbenchError as error:
        notify(f"language of the answers: by lid.176, since GlotLID is not available ({error.message})")
        return load_identifier("lid176", notify=notify)


def identify_stage(
    folder: RunFolder, identifier: Identifier, log: RecordLog, progress: Progress | None = None, *, reuse: Reuse | None = None
) -> int:
    """Identify every conversation that this identifier has not seen yet.

    Args:
        reuse: Finished work of earlier runs.

    Returns:
        Conversations identified now.
    """
    add_run_languages(folder)
    found = [[turns[turn] for turn in sorted(turns)] for turns in conversations(folder.records(AnswerRecord)).values()]
    keyed = {_key(ordered, identifier): ordered for ordered in found}
    if reuse is not None and not all(key in log for key in keyed):
        labels = known_labels(reuse, identifier, keyed)
        known = [labels[key] for key in keyed if key in labels and key not in log]
        log.append(known)
        reuse.taken["identified"] += len(known)
    fresh = []
    for key, ordered in _counted(keyed.items(), f"language of answers · {identifier.name}", progress or SilentProgress()):
        if key not in log:
            fresh.append(_conversation(key, ordered, identifier))
    log.append(fresh)
    if reuse is not None:
        keep_labels(reuse, identifier, keyed, {record.key: record for record in fresh})
    return len(fresh)


def _key(answers: list[AnswerRecord], identifier: Identifier) -> str:
    """By the answers and the identifier; and by what is read of an answer, where that is not its whole text.

    A record made of the whole text of such an answer, or that took a state of the harness for an empty answer, has another key.
    """
    key = f"{row_hash([answer.key for answer in answers])}:{identifier.signature}"
    whole = all(answer.state in ANSWERED and not answer.parts.found for answer in answers)
    language = get_language(answers[0].language)
    # Labels of relatives once made a language covered whose strict numbers they could not count for.
    by_strict = identifier.covers(language) or not identifier.covers_leniently(language)
    return key if whole and by_strict else f"{key}:{READS}"


def _counted(items: Collection[T], title: str, progress: Progress) -> Iterator[T]:
    with progress.stage(title, len(items)) as advance:
        for item in items:
            yield item
            advance()


def _conversation(key: str, answers: list[AnswerRecord], identifier: Identifier) -> IdentifiedRecord:
    texts = [answer.parts.answer for answer in answers]
    states = [answer.answer_state for answer in answers]
    first = answers[0]
    found = [identifier.identify(text) for text in texts]
    language = get_language(first.language)
    labels = [identifier.trusted(one) for one in found]
    metrics, unsure = _units(texts, labels, identifier, language)
    # An empty answer is in no language: unfaithful by definition, and counted apart. So is a label that is not to be believed.
    state = "empty" if None in labels else UNSURE if UNSURE in labels else "ok"
    without = [name for name, value in metrics.items() if value is None] if unsure else []
    reasons = {name: UNSURE if name in unsure else "only_code" for name in without}
    missing = next((state for state in states if state not in ANSWERED), None)
    if missing is not None:
        # There is no answer of the model to one of the turns: only the units of the other turns say anything of it.
        answered = {turn_part(answer.turn) for answer, own in zip(answers, states, strict=True) if own in ANSWERED}
        state, metrics = missing, {k: v if _part(k) in answered else None for k, v in metrics.items()}
        reasons = {name: reason for name, reason in reasons.items() if _part(name) in answered}
    if not identifier.covers(language):
        # It has no label that could count, so its 0 would say nothing of the answer. Lenient numbers have a list of their own.
        lenient = identifier.covers_leniently(language)
        metrics = {name: value if lenient and _reading(name) == LENIENT else None for name, value in metrics.items()}
        reasons = {name: reason for name, reason in reasons.items() if lenient and _reading(name) == LENIENT}
        state = state if missing is not None else "not_covered"
    return IdentifiedRecord(
        key=key,
        item=first.item,
        variant=first.variant,
        task=first.task,
        language=first.language,
        profile=first.profile,
        state=state,
        identifier=identifier.signature,
        metrics=metrics,
        states={name: reason for name, reason in reasons.items() if reason != state},
        turns=[
            IdentifiedTurn(
                answer=answer.key,
                turn=answer.turn,
                label=one.label,
                probability=one.probability,
                cell=answered_cell(text, identifier) if own in ANSWERED else NO_ANSWER,
                lines=line_cells(text, identifier) if own in ANSWERED else [],
                state=own if own not in ANSWERED else None,
            )
            for answer, one, text, own in zip(answers, found, texts, states, strict=True)
        ],
    )


def _part(metric: str) -> str:
    found = split_fidelity_name(metric)
    return found[0] if found else ""


def _reading(metric: str) -> str:
    found = split_fidelity_name(metric)
    return found[1] if found else ""


def _units(
    texts: list[str], labels: list[str | None], identifier: Identifier, language: Language
) -> tuple[dict[str, float | None], set[str]]:
    """All units of a conversation, and the names of those that a label below the floor leaves without a value."""
    several = len(texts) > 1
    joined = identifier.trusted(identifier.identify(join_turns(texts))) if several else None
    bare = [identifier.trusted(identify_without_code([text], identifier)) for text in texts]
    bare_joined = identifier.trusted(identify_without_code(texts, identifier)) if several else None
    unsure = unsure_units(labels, joined) | unsure_units(bare, bare_joined, (WITHOUT_CODE,))
    return {**question_units(labels, joined, language), **strip_code_units(bare, bare_joined, language)}, unsure
