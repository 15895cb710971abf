"""What a run should have and has not: records that were there once, and records that its plan promised."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from lensbench.errors import LensbenchError
from lensbench.records import RunFolder
from lensbench.records.run_folder import STAGES, Place

__all__ = ["missing_records", "note_counts"]

_COUNTS = "counts.json"
_FOREIGN = "lm-eval"
"""`data` of a run that was read from lm-eval's files: its models need not have been asked the same."""


def note_counts(folder: RunFolder) -> None:
    """Write down how many records every file has by variant, task, language and grader; a number once noted never falls."""
    noted = _noted(folder)
    for stage in STAGES:
        for place, n in folder.counts(stage).items():
            noted.setdefault(stage, Counter())[place] = max(n, noted.get(stage, Counter())[place])
    content = {stage: [[*place, n] for place, n in sorted(counts.items())] for stage, counts in noted.items()}
    folder.write_json(_COUNTS, content)


def missing_records(folder: RunFolder, about: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every place that has fewer records than it should.

    Args:
        about: Content of `variants.json`.

    Returns:
        For each `file`, `why` ("gone": it had more when results were last made; "planned": the run was to have more), `place` in
        words, `has` and `wanted`.
    """
    found = [*_gone(folder)]
    known = {(entry["file"], entry["place"]) for entry in found}
    found += [entry for entry in _unfinished(folder, about) if (entry["file"], entry["place"]) not in known]
    return found


def _gone(folder: RunFolder) -> Iterator[dict[str, Any]]:
    noted = _noted(folder)
    for stage, counts in noted.items():
        has = folder.counts(stage)
        for place, wanted in counts.items():
            if has[place] < wanted:
                yield _entry(stage, "gone", place, has[place], wanted)
    if not noted:
        yield from _gone_by_lines(folder)


def _gone_by_lines(folder: RunFolder) -> Iterator[dict[str, Any]]:
    """Of a run from before its counts were noted: by the lines that its results were made from."""
    try:
        stored = folder.read_json("results.json") if folder.has("results.json") else {}
    except LensbenchError:
        return
    made_from = stored.get("made_from") if isinstance(stored, dict) else None
    for name, wanted in made_from.items() if isinstance(made_from, dict) else ():
        stage = str(name).removesuffix(".jsonl")
        if stage in STAGES and isinstance(wanted, int) and (has := folder.counts(stage).total()) < wanted:
            yield {"file": f"{stage}.jsonl", "why": "gone", "place": "all", "has": has, "wanted": wanted}


def _unfinished(folder: RunFolder, about: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Variants x tasks x items, as `run.json` and `variants.json` promise them."""
    spec = folder.spec() if folder.has("run.json") else None
    if spec is not None and spec.data == _FOREIGN:
        return
    failed = about.get("failed") or {}
    variants = dict.fromkeys(about["variants"])
    if spec is not None:
        variants |= dict.fromkeys(spec.variant_names)
    places = dict.fromkeys(about["tasks"])
    if spec is not None:
        places |= dict.fromkeys(f"{task.task}/{task.language}" for task in spec.tasks)
    items, scores, answers = (_without_grader(folder, stage) for stage in ("items", "score", "answers"))
    opened = {place[1] for place in answers} | {place[1] for place in folder.counts("identified")}
    for key in places:
        task, _, language = key.rpartition("/")
        told = about["tasks"].get(key) or {}
        n = told.get("items") or 0
        if not n:
            continue
        if items["", task, language] < n:
            yield _entry("items", "planned", ("", task, language, ""), items["", task, language], n)
        generates = told.get("generates", bool(told.get("judged")) or task in opened)
        stage, has = ("answers", answers) if generates else ("score", scores)
        wanted = max(told.get("turns") or 0, n) if generates else n
        for variant in variants:
            if variant not in failed and has[variant, task, language] < wanted:
                yield _entry(stage, "planned", (variant, task, language, ""), has[variant, task, language], wanted)


def _without_grader(folder: RunFolder, stage: str) -> Counter[tuple[str, str, str]]:
    found: Counter[tuple[str, str, str]] = Counter()
    for (variant, task, language, _), n in folder.counts(stage).items():
        found[variant, task, language] += n
    return found


def _entry(stage: str, why: str, place: Place, has: int, wanted: int) -> dict[str, Any]:
    variant, task, language, grader = place
    words = f"{variant} on {task}/{language}" if variant else f"{task}/{language}"
    return {
        "file": f"{stage}.jsonl",
        "why": why,
        "place": words + (f" by {grader}" if grader else ""),
        "has": has,
        "wanted": wanted,
    }


def _noted(folder: RunFolder) -> dict[str, Counter[Place]]:
    """What `counts.json` says; nothing of an entry that is none."""
    if not folder.has(_COUNTS):
        return {}
    content = folder.read_json(_COUNTS)
    found: dict[str, Counter[Place]] = {}
    for stage, entries in content.items() if isinstance(content, dict) else ():
        if stage not in STAGES or not isinstance(entries, list):
            continue
        for entry in entries:
            if isinstance(entry, list) and len(entry) == 5 and all(isinstance(part, str) for part in entry[:4]):
                variant, task, language, grader, n = entry
                if isinstance(n, int):
                    found.setdefault(stage, Counter())[variant, task, language, grader] = n
    return found
