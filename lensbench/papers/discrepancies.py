"""Which settings of a run are not a paper's, read off the provenance of the run by rule."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from lensbench.metrics import LANGUAGES, RATINGS
from lensbench.papers.facts import CellFacts, RunFacts
from lensbench.papers.schema import Published, PublishedColumn
from lensbench.records import Grader
from lensbench.records.described import NOT_RECORDED

__all__ = ["discrepancies_of", "incomparable", "matching_backbone", "same_setting", "shown_setting"]


def matching_backbone(published: Published, run: RunFacts, wanted: str | None = None) -> tuple[str, str | None]:
    """The backbone of the paper to set a run against, and why it is not quite the same; None where it is.

    Args:
        wanted: A backbone of the paper by name; None takes the run's own, else the paper's first.
    """
    kind, name = run.origin.get("kind"), run.origin.get("name")
    same = next((key for key, b in published.backbones.items() if kind == "hub" and name == b.hub), None)
    key = wanted or same or (run.backbone if run.backbone in published.backbones else next(iter(published.backbones)))
    theirs = published.backbones[key]
    if key == same:
        return key, None
    if key != run.backbone:
        return key, f"other backbone: {run.backbone}, the paper's is {theirs.title}"
    if kind is None:
        return key, "other backbone: where its weights come from is not recorded"
    return key, f"other backbone: its weights are {kind}, {name}, and not known to be {theirs.hub}"


def incomparable(facts: CellFacts, column: PublishedColumn, targets: tuple[str, ...] | None) -> str | None:
    """Why a number may not be set against a printed one at all; None where it may.

    Args:
        targets: Languages the paper's methods were fitted for; None where each language was fitted by itself.
    """
    if facts.profile != column.profile:
        return f"asked under profile {facts.profile}, the paper's number is of profile {column.profile}"
    if facts.fitted and targets is not None and set(facts.run.targets) != set(targets):
        return f"fitted for {', '.join(facts.run.targets)}, the paper's variant for {', '.join(targets)}"
    return None


def discrepancies_of(
    facts: CellFacts, column: PublishedColumn, published: Published, settings: Mapping[str, object], backbone: str | None
) -> tuple[str, ...]:
    """All discrepancies that the provenance gives, the weightiest first.

    Args:
        settings: The paper's configuration of the method on this backbone, as far as it prints one.
        backbone: What `matching_backbone` found.
    """
    found = [*([backbone] if backbone else []), *_data(facts), *_wording(facts), *_sample(facts, column)]
    found += _graders(facts, published)
    found += _fit(facts, settings)
    return tuple(found)


def _data(facts: CellFacts) -> Iterator[str]:
    rows = facts.rows
    if rows is None:
        yield "other data: where the rows come from is not recorded"
        return
    if rows.kind == "embedded":
        yield "other data: the embedded set, a demonstration"
    if rows.stand_in:
        yield f"other data: a stand-in, {rows.stand_in}"
    if facts.substitute:
        yield f"other data: rows of {facts.substitute} stand in"
    if rows.expected_rows and rows.rows != rows.expected_rows:
        yield f"other data: {rows.rows} rows of the set's {rows.expected_rows}"


def _wording(facts: CellFacts) -> Iterator[str]:
    if facts.wording == "ours":
        yield "other wording: the wording of the prompts is ours"
    elif facts.wording == NOT_RECORDED and not facts.source:
        yield "other wording: whose words the prompts have is not recorded"


def _sample(facts: CellFacts, column: PublishedColumn) -> Iterator[str]:
    what = facts.metric.basis.counted
    if facts.n < facts.planned:
        yield f"other sample: unfinished, {facts.n} of {facts.planned} {what}"
    elif column.n is not None and facts.n != column.n:
        yield f"other sample: {facts.n} {what}, the paper's {column.n}"
    if facts.failures:
        yield f"other sample: {facts.failures} of {facts.n} {what} have no score"
    if facts.cut is not None:
        yield f"other answers: cut after {facts.cut} new tokens"


def _graders(facts: CellFacts, published: Published) -> Iterator[str]:
    if facts.metric.basis is RATINGS and published.judge is not None:
        model = Grader.parse(facts.source, "judge").model or ""
        if not any(re.fullmatch(rf"{re.escape(name)}(-\d{{4}}-\d\d-\d\d)?", model) for name in published.judge.models):
            yield f"other judge: {model or 'unknown'}, the paper's is {published.judge.title}"
    elif facts.metric.basis is LANGUAGES and published.identifier is not None:
        name = Grader.parse(facts.source, "identifier").name
        if name != published.identifier:
            yield f"other identifier: {name}, the paper's is {published.identifier}"


def _fit(facts: CellFacts, settings: Mapping[str, object]) -> Iterator[str]:
    if not facts.fitted:
        return
    for key, theirs in settings.items():
        ours = facts.config.get(key)
        if key not in facts.config:
            yield f"other settings: {key} is not recorded, the paper's is {shown_setting(theirs)}"
        elif not same_setting(ours, theirs, facts.run.targets):
            yield f"other settings: {key} {shown_setting(ours)}, the paper's {shown_setting(theirs)}"
    if any(" from embedded " in line for line in facts.learned_from):
        yield "other training data: the embedded set"
    if facts.remark:
        yield f"other fit: {facts.remark}"


def same_setting(ours: object, theirs: object, targets: tuple[str, ...]) -> bool:
    """Whether two configuration values say the same; one number stands for that number in every target language."""
    if isinstance(theirs, Mapping):
        if isinstance(ours, (int, float)):
            return all(theirs.get(code) == ours for code in targets)
        return isinstance(ours, Mapping) and all(ours.get(code) == theirs.get(code) for code in targets)
    return bool(ours == theirs)


def shown_setting(value: object) -> str:
    """A configuration value in words: `zh 1, ja 0.6` for a mapping, "none" for null."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {shown_setting(item)}" for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(map(shown_setting, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    return "none" if value is None else str(value)
