"""Answers of all variants side by side, turn by turn, with the language they are in and the rating they got."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from lensbench.reasoning import parts_of
from lensbench.records import RunFolder

__all__ = ["answer_lines", "quote"]

_REASONING_SHOWN = 400
_SAMPLES = 4
"""Questions shown per language."""


def answer_lines(folder: RunFolder, variants: list[str], final: Iterable[Mapping[str, Any]] = ()) -> list[str]:
    """Markdown for the first questions of every language.

    Args:
        final: Of every grading the one verdict that counts; tries before it are none.
    """
    by_item: dict[str, dict[tuple[int, str], dict[str, Any]]] = defaultdict(dict)
    for record in folder.records("answers"):
        by_item[record["item"]][record["turn"], record["variant"]] = record
    if not by_item:
        return []
    labels = {turn["answer"]: turn["label"] for record in folder.records("identified") for turn in record.get("turns", ())}
    ratings: dict[str, list[str]] = defaultdict(list)
    for verdict in final:
        if verdict["repeat"] == 0:
            rating = f"{verdict['rating']:g}" if verdict["state"] == "ok" else verdict["state"].replace("_", " ")
            ratings[verdict["answer"]].append(f"{verdict['judge'].split(':')[0]}: {rating}")
    parts = ["## Answers", "", "Cut where the profile says. Read them: the right language is not yet a good answer.", ""]
    shown: dict[str, int] = defaultdict(int)
    for item in folder.records("items"):
        if item["key"] not in by_item or shown[item["language"]] >= _SAMPLES:
            continue
        shown[item["language"]] += 1
        for turn, said in enumerate(item.get("turns", ()), start=1):
            place = f"{item['language']}, question {item.get('doc_id', 0) + 1}" + (
                f", turn {turn}" if len(item["turns"]) > 1 else ""
            )
            parts += [f"**{place}**", "", *quote(said), ""]
            for variant in variants:
                answer = by_item[item["key"]].get((turn, variant))
                if answer:
                    parts += [_about(variant, answer, labels, ratings), "", *_shown(answer), ""]
    return parts


def _about(variant: str, answer: dict[str, Any], labels: dict[str, str | None], ratings: dict[str, list[str]]) -> str:
    facts = [f"identified: {labels.get(answer['key']) or 'empty'}", f"{answer.get('tokens', 'unknown')} tokens"]
    finish = answer.get("finish") or "stop"
    if finish != "stop":
        facts.append("cut" if finish == "length" else finish.replace("_", " "))
    return f"{variant} ({', '.join([*facts, *ratings[answer['key']]])})"


def _shown(answer: dict[str, Any]) -> list[str]:
    """The answer; what was thought before it stands above, cut, since only the answer is measured."""
    parts = parts_of(answer)
    if not parts.found:
        return quote(answer["text"])
    ending = "" if parts.closed else "; no answer was begun"
    thought = f"reasoning, {len(parts.reasoning):,} characters, not measured{ending}:"
    cut = parts.reasoning[:_REASONING_SHOWN] + (" ..." if len(parts.reasoning) > _REASONING_SHOWN else "")
    return [thought, "", *quote(cut), "", "answer:", "", *quote(parts.answer)]


def quote(text: str) -> list[str]:
    """Model text as an indented code block: nothing in it is interpreted."""
    return ["    " + "".join(c if c.isprintable() else " " for c in line) for line in text.splitlines() or [""]]
