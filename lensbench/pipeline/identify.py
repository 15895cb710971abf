"""The identification stage: which language each answer is in. It reads and writes records only, so it needs no model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lensbench.data.rows import row_hash
from lensbench.errors import LensbenchError
from lensbench.fidelity import (
    Identifier,
    answered_cell,
    build_matrices,
    identify_without_code,
    join_turns,
    line_cells,
    load_identifier,
    question_units,
    strip_code_units,
)
from lensbench.fidelity.matrix import Level
from lensbench.languages import Language, get_language
from lensbench.pipeline.run_languages import add_run_languages
from lensbench.store import RecordLog, RunFolder

__all__ = ["AUTO", "answered_by_task", "identify_stage", "pick_identifier"]

AUTO = "auto"
"""GlotLID where it can be had, else lid.176."""


def pick_identifier(name: str, say: Callable[[str], None]) -> Identifier:
    """The identifier a user named; for `auto` the choice is said aloud, and every cell names it.

    Raises:
        LensbenchError: a named one cannot be had.
    """
    if name != AUTO:
        return load_identifier(name, say=say)
    try:
        return load_identifier("glotlid", say=say)
    except LensbenchError as error:
        say(f"language of the answers: by lid.176, since GlotLID cannot be had ({error.message})")
        return load_identifier("lid176", say=say)


def identify_stage(folder: RunFolder, identifier: Identifier, log: RecordLog) -> int:
    """Identify every conversation that this identifier has not seen yet.

    Returns:
        Conversations identified now.
    """
    add_run_languages(folder)
    conversations: dict[tuple[str, str], dict[int, dict[str, Any]]] = {}
    for record in folder.records("answers"):
        conversations.setdefault((record["item"], record["variant"]), {})[record["turn"]] = record
    fresh = []
    for turns in conversations.values():
        ordered = [turns[turn] for turn in sorted(turns)]
        key = f"{row_hash([answer['key'] for answer in ordered])}:{identifier.signature}"
        if key not in log:
            fresh.append({"key": key, **_conversation(ordered, identifier)})
    log.append(fresh)
    return len(fresh)


def _conversation(answers: list[dict[str, Any]], identifier: Identifier) -> dict[str, Any]:
    texts = [answer["text"] for answer in answers]
    first = answers[0]
    found = [identifier.identify(text) for text in texts]
    language = get_language(first["language"])
    metrics = _units(texts, [one.label for one in found], identifier, language)
    # An empty answer is in no language: unfaithful by definition, and counted apart.
    state = "empty" if any(one.label is None for one in found) else "ok"
    if not identifier.covers(language):
        # It has no label for the asked language, so its 0 would say nothing of the answer.
        state, metrics = "not_covered", dict.fromkeys(metrics)
    return {
        **{name: first[name] for name in ("item", "variant", "task", "language", "profile")},
        "state": state,
        "identifier": identifier.signature,
        "metrics": metrics,
        "turns": [
            {
                "answer": answer["key"],
                "turn": answer["turn"],
                "label": one.label,
                "probability": one.probability,
                "cell": answered_cell(answer["text"], identifier),
                "lines": line_cells(answer["text"], identifier),
            }
            for answer, one in zip(answers, found, strict=True)
        ],
    }


def _units(texts: list[str], labels: list[str | None], identifier: Identifier, language: Language) -> dict[str, float | None]:
    several = len(texts) > 1
    joined = identifier.identify(join_turns(texts)).label if several else None
    bare = [identify_without_code([text], identifier).label for text in texts]
    bare_joined = identify_without_code(texts, identifier).label if several else None
    return {**question_units(labels, joined, language), **strip_code_units(bare, bare_joined, language)}


def answered_by_task(folder: RunFolder) -> list[dict[str, Any]]:
    """Asked x answered matrices of a run, JSON-ready: per task, identifier, variant, turn and level."""
    records: dict[tuple[str, str], dict[tuple[str, str], dict[str, Any]]] = {}
    for record in folder.records("identified"):
        # The last record of a conversation is the whole one.
        records.setdefault((record["task"], record["identifier"]), {})[record["item"], record["variant"]] = record
    found = []
    for (task, identifier), conversations in records.items():
        answers = [
            {
                "language": c["language"],
                "variant": c["variant"],
                "turn": turn["turn"],
                "cell": turn["cell"],
                "lines": turn["lines"],
            }
            for c in conversations.values()
            for turn in c["turns"]
        ]
        levels: tuple[Level, ...] = ("answer", "line")
        for level in levels:
            for matrix in build_matrices(answers, level):
                found.append({"task": task, "identifier": identifier, **matrix.as_dict()})
    return found
