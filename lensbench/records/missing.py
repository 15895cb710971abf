"""Missing records of a run: records that were there once, and records that were planned."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from lensbench.errors import LensbenchError
from lensbench.jsonio import JsonObject
from lensbench.records import RunFolder
from lensbench.records.run_folder import STAGES, Place
from lensbench.records.task_key import TaskKey

__all__ = ["MissingRecords", "missing_records", "note_counts"]

_COUNTS = "counts.json"
_FOREIGN = "lm-eval"
"""`data` of a run that was read from lm-eval's files: its models need not have been asked the same."""


@dataclass(frozen=True)
class MissingRecords:
    """One place that has fewer records than it should."""

    file: str
    why: Literal["gone", "planned"]
    """"gone": it had more when results were last made; "planned": the run was to have more."""
    place: str
    """Description of the place."""
    has: int
    wanted: int

    def as_dict(self) -> JsonObject:
        return asdict(self)


def note_counts(folder: RunFolder) -> None:
    """Record how many records every file has by variant, task, language and grader. A recorded number never decreases."""
    noted = _noted(folder)
    for stage in STAGES:
        for place, n in folder.counts(stage).items():
            noted.setdefault(stage, Counter())[place] = max(n, noted.get(stage, Counter())[place])
    content = {stage: [[*place, n] for place, n in sorted(counts.items())] for stage, counts in noted.items()}
    folder.write_json(_COUNTS, content)


def missing_records(folder: RunFolder, about: Mapping[str, Any]) -> list[MissingRecords]:
    """Every place that has fewer records than it should.

    Args:
        about: Content of `variants.json`.
    """
    found = [*_gone(folder)]
    known = {(entry.file, entry.place) for entry in found}
    found += [entry for entry in _unfinished(folder, about) if (entry.file, entry.place) not in known]
    return found


def _gone(folder: RunFolder) -> Iterator[MissingRecords]:
    noted = _noted(folder)
    for stage, counts in noted.items():
        has = folder.counts(stage)
        for place, wanted in counts.items():
            if has[place] < wanted:
                yield _entry(stage, "gone", place, has[place], wanted)
    if not noted:
        yield from _gone_by_lines(folder)


def _gone_by_lines(folder: RunFolder) -> Iterator[MissingRecords]:
    """Of a run from before its counts were noted: by the lines that its results were made from."""
    try:
        stored = folder.read_json("results.json") if folder.has("results.json") else {}
    except LensbenchError:
        return
    made_from = stored.get("made_from") if isinstance(stored, dict) else None
    for name, wanted in made_from.items() if isinstance(made_from, dict) else ():
        stage = str(name).removesuffix(".jsonl")
        if stage in STAGES and isinstance(wanted, int) and (has := folder.counts(stage).total()) < wanted:
            yield MissingRecords(f"{stage}.jsonl", "gone", "all", has, wanted)


def _unfinished(folder: RunFolder, about: Mapping[str, Any]) -> Iterator[MissingRecords]:
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
        places |= dict.fromkeys(str(TaskKey(task.task, task.language)) for task in spec.tasks)
    items, scores, answers = (_without_grader(folder, stage) for stage in ("items", "score", "answers"))
    opened = {place.task for place in answers} | {place.task for place in folder.counts("identified")}
    for text in places:
        key = TaskKey.parse(text)
        told = about["tasks"].get(text) or {}
        n = told.get("items") or 0
        if not n:
            continue
        asked = Place("", key.task, key.language, "")
        if items[asked] < n:
            yield _entry("items", "planned", asked, items[asked], n)
        generates = told.get("generates", bool(told.get("judged")) or key.task in opened)
        stage, has = ("answers", answers) if generates else ("score", scores)
        wanted = max(told.get("turns") or 0, n) if generates else n
        for variant in variants:
            place = asked._replace(variant=variant)
            if variant not in failed and has[place] < wanted:
                yield _entry(stage, "planned", place, has[place], wanted)


def _without_grader(folder: RunFolder, stage: str) -> Counter[Place]:
    found: Counter[Place] = Counter()
    for place, n in folder.counts(stage).items():
        found[place._replace(grader="")] += n
    return found


def _entry(stage: str, why: Literal["gone", "planned"], place: Place, has: int, wanted: int) -> MissingRecords:
    key = TaskKey(place.task, place.language)
    words = f"{place.variant} on {key}" if place.variant else str(key)
    return MissingRecords(f"{stage}.jsonl", why, words + (f" by {place.grader}" if place.grader else ""), has, wanted)


def _noted(folder: RunFolder) -> dict[str, Counter[Place]]:
    """Content of `counts.json` without invalid entries."""
    if not folder.has(_COUNTS):
        return {}
    content = folder.read_json(_COUNTS)
    found: dict[str, Counter[Place]] = {}
    for stage, entries in content.items() if isinstance(content, dict) else ():
        if stage not in STAGES or not isinstance(entries, list):
            continue
        for entry in entries:
            if isinstance(entry, list) and len(entry) == 5 and all(isinstance(part, str) for part in entry[:4]):
                *place, n = entry
                if isinstance(n, int):
                    found.setdefault(stage, Counter())[Place(*place)] = n
    return found
