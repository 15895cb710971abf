"""Comparison of two runs, item by item, and the reasons why other items cannot be compared."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from lensbench.datasets.rows import row_hash
from lensbench.errors import UsageError, unknown_name
from lensbench.jsonio import JsonObject
from lensbench.metrics import Basis
from lensbench.numbers.headline import headline_series
from lensbench.numbers.pair import SourceItems, Tested, known, right_or_wrong, test_pairs
from lensbench.numbers.picking.reported import reported_part
from lensbench.numbers.read_metrics import MetricSeries, read_metrics
from lensbench.numbers.verdict import Verdict, make_verdict
from lensbench.records import ItemRecord, RowsKey, RunFolder, TaskKey
from lensbench.stats import clustered_errors, holm, paired_intervals

__all__ = ["Compared", "Comparison", "NotCompared", "compare"]


@dataclass(frozen=True)
class Compared:
    """One number of a variant of the first run (A) compared with a variant of the second (B), over the items of both."""

    task: str
    language: str
    profile: str
    metric: str
    unit: str
    source: str
    variant_a: str
    variant_b: str
    n: int
    """Scores that both have; only these are in the two values."""
    clusters: int
    only_a: int
    """Scores without a counterpart: not asked in the other run, or without a score there."""
    only_b: int
    value_a: float
    value_b: float
    fixed: int
    """B is better: higher, or lower where the metric's direction says so; of right and wrong, B alone is right."""
    broken: int
    """A is better."""
    both_right: int | None
    """Items that are right in both; None if scores are not 0 or 1."""
    both_wrong: int | None
    equal: int
    delta: float
    """B less A."""
    delta_low: float | None
    delta_high: float | None
    test: str
    p_value: float
    p_holm: float
    """p-value adjusted over all numbers of this pair of variants."""
    smallest_detectable: float | None
    higher_is_better: bool | None = True
    """As the runs say; None where neither does: then `fixed` counts higher scores, and nothing is better or worse."""
    verdict: Verdict | None = None
    """Verdict on B compared with A."""


@dataclass(frozen=True)
class NotCompared:
    """A number that only one run has, or that differs in kind between the runs."""

    task: str
    """"" with `language`, where a whole variant is meant."""
    language: str
    what: str
    """The metric, or "" for all of the task in this language."""
    reason: str


@dataclass(frozen=True)
class Comparison:
    cells: list[Compared]
    gaps: list[NotCompared]
    pairs: list[tuple[str, str]]
    notes: list[str] = field(default_factory=list)
    """Warnings about the compared runs."""

    def as_dict(self) -> JsonObject:
        return {
            "pairs": [list(pair) for pair in self.pairs],
            "cells": [asdict(cell) for cell in self.cells],
            "notes": list(self.notes),
            "not_compared": [asdict(gap) for gap in self.gaps],
        }


class _Side:
    """One run: its headline series by task, language, variant, metric and grader, and the row behind every item."""

    def __init__(self, folder: RunFolder) -> None:
        # Items that chose a setting are no evidence for it.
        self.folder = folder = reported_part(folder)
        self.about: JsonObject = folder.read_json("variants.json")
        self.sources = SourceItems.of(folder)
        self.rows = {r.key: r.key if r.row is None or r.doc_id is None else (r.doc_id, r.row) for r in folder.records(ItemRecord)}
        self.series: dict[tuple[str, str, Basis], dict[tuple[str, str], MetricSeries]] = {}
        for one in headline_series(list(read_metrics(folder))):
            key = (str(one.key), one.variant, one.metric.basis)
            self.series.setdefault(key, {})[one.metric.name, one.grader] = one

    def values(self, series: MetricSeries, *, by_content: bool = False) -> dict[Any, tuple[float, str]]:
        """(row, turn) -> score and item. A row is its number and content: the item's id also holds the chat template's words."""
        rows = self.contents if by_content else self.rows
        return {(rows.get(item, item), turn): (value, item) for (item, turn), value in series.values.items()}

    @functools.cached_property
    def contents(self) -> dict[str, str]:
        """Item -> hash of its document, requests and target: what lm-eval's files and our records both hold."""
        return {r.key: content_key(r) for r in self.folder.records(ItemRecord)}

    def asked(self, key: str) -> set[str]:
        """The contents of a task's items."""
        wanted = (r.key for r in self.folder.records(ItemRecord) if str(r.task_key) == key)
        return {self.contents[item] for item in wanted}

    def is_foreign(self, key: str) -> bool:
        """Whether a task was read from lm-eval's own files."""
        return RowsKey.parse(str(self.about["tasks"].get(key, {}).get("rows", ""))).kind == "lm-eval"


def compare(first: RunFolder, second: RunFolder, variant: str | None = None, other: str | None = None) -> Comparison:
    """Compare variants of two runs on their headline metrics.

    Args:
        variant: Of the first run; None with no `other`: all names that both runs have.
        other: Of the second run; None: the same name.

    Raises:
        UsageError: no such variant, no name in common, or a variant beside itself.
    """
    a, b = _Side(first), _Side(second)
    pairs = _pairs(a, b, variant, other)
    if first.path.resolve() == second.path.resolve() and any(x == y for x, y in pairs):
        raise UsageError(
            "both sides are the same variant of the same run", "Name two variants (``variant``, ``with_variant``), or two runs."
        )
    cells: list[Compared] = []
    notes: dict[str, None] = {}
    gaps = dict.fromkeys(_alone(a, b) if variant is None and other is None else ())
    for pair in pairs:
        found: list[tuple[Compared, Tested]] = []
        for key in dict.fromkeys((*a.about["tasks"], *b.about["tasks"])):
            reason = _unlike(key, a, b)
            task, language = TaskKey.parse(key)[:2]
            by_content = False
            # Two results of lm-eval say themselves in what they differ: version, generation, filter.
            if reason is not None and a.is_foreign(key) != b.is_foreign(key):
                ours, theirs = a.asked(key), b.asked(key)
                by_content = bool(ours & theirs)
                if by_content:
                    notes[
                        f"{key}: {reason}; compared over the {len(ours & theirs)} items whose document, requests and target are "
                        f"equal (of {len(ours)} in A and {len(theirs)} in B)"
                    ] = None
                elif ours and theirs:
                    reason += "; and no item has equal document, requests and target in both"
            if reason is not None and not by_content:
                gaps[NotCompared(task, language, "", reason)] = None
                continue
            for what, outcome in _task(key, a, b, pair, by_content):
                if isinstance(outcome, str):
                    gaps[NotCompared(task, language, what, outcome)] = None
                else:
                    found.append(outcome)
        adjusted = holm(np.array([tested.p_value for _, tested in found]))
        cells += [
            replace(
                cell,
                p_holm=float(p_holm),
                smallest_detectable=tested.detectable(len(found)),
                verdict=make_verdict(float(p_holm), cell.delta_low, cell.delta_high, cell.higher_is_better),
            )
            for (cell, tested), p_holm in zip(found, adjusted, strict=True)
        ]
    return Comparison(cells, list(gaps), pairs, list(notes))


def content_key(record: ItemRecord) -> str:
    """Hash of an item's document, requests and target. The target is its number among the choices where it is one of them: our
    records have the text, lm-eval's the number. Columns without a value say nothing."""
    requests = [list(request) for request in record.requests]
    gold = str(record.gold)
    # The requests without a question, which a metric of lm-eval adds, are no choices.
    options = [continuation.strip() for _, continuation in requests]
    place = options.index(gold.strip()) if gold.strip() in options else int(gold) if gold.isdecimal() else None
    target: Any = place if place is not None and place < len(options) else gold
    doc = {name: value for name, value in record.doc.items() if value is not None}
    return row_hash([doc, requests, target])


def _pairs(a: _Side, b: _Side, variant: str | None, other: str | None) -> list[tuple[str, str]]:
    have_a, have_b = list(a.about["variants"]), list(b.about["variants"])
    if variant is None and other is None:
        both = [(name, name) for name in have_a if name in have_b]
        if not both:
            raise UsageError(
                "the runs have no variant of the same name",
                f"Name two: ``variant`` ({', '.join(have_a)}), ``with_variant`` ({', '.join(have_b)}).",
            )
        return both
    names = (variant or other or "", other or variant or "")
    for name, have, run in ((names[0], have_a, "RUN_A"), (names[1], have_b, "RUN_B")):
        if name not in have:
            raise unknown_name(f"variant of {run}", name, have)
    return [names]


def _alone(a: _Side, b: _Side) -> list[NotCompared]:
    """Variants whose name only one run has."""
    have = (("RUN_A", a.about["variants"], b.about["variants"]), ("RUN_B", b.about["variants"], a.about["variants"]))
    return [
        NotCompared("", "", f"variant {name}", f"only {run} has one of this name; ``variant`` and ``with_variant`` name any two")
        for run, own, others in have
        for name in own
        if name not in others
    ]


def _unlike(key: str, a: _Side, b: _Side) -> str | None:
    """Why a task in a language cannot be compared at all."""
    ours, theirs = a.about["tasks"].get(key), b.about["tasks"].get(key)
    if ours is None or theirs is None:
        return f"only {'RUN_B' if ours is None else 'RUN_A'} has it"
    if ours["profile"] != theirs["profile"]:
        return f"unlike profiles: {ours['profile']} and {theirs['profile']}"
    if ours["protocol"] != theirs["protocol"]:
        return f"asked in unlike ways under profile {ours['profile']}: protocol {ours['protocol']} and {theirs['protocol']}"
    # Where rows came from does not matter once they are the same.
    if RowsKey.parse(ours["rows"]).digest != RowsKey.parse(theirs["rows"]).digest:
        return f"other rows: {ours['rows']} and {theirs['rows']}"
    return None


def _task(
    key: str, a: _Side, b: _Side, pair: tuple[str, str], by_content: bool
) -> Iterable[tuple[str, tuple[Compared, Tested] | str]]:
    """What a pair of variants has in common on one task: (metric, the comparison or why there is none)."""
    bases = dict.fromkeys(k[2] for side, name in ((a, pair[0]), (b, pair[1])) for k in side.series if k[:2] == (key, name))
    if not bases:
        yield "", f"nothing scored of {pair[0]} in RUN_A, nor of {pair[1]} in RUN_B"
    for basis in bases:
        ours, theirs = a.series.get((key, pair[0], basis), {}), b.series.get((key, pair[1], basis), {})
        for metric, grader in dict.fromkeys((*ours, *theirs)):
            mine, yours = ours.get((metric, grader)), theirs.get((metric, grader))
            what = metric if not grader else f"{metric} by {grader}"
            if mine is not None and yours is not None and mine.metric.higher_is_better != yours.metric.higher_is_better:
                yield what, "the runs do not agree on whether more is better"
                continue
            if mine is not None and yours is not None and (mine.statistics or yours.statistics):
                yield what, "it is a metric of the corpus, and two runs are compared item by item"
                continue
            if mine is not None and yours is not None:
                cell = _compared(a, b, mine, yours, by_content)
                yield what, cell if cell is not None else f"no item with a score in both ({pair[0]}, {pair[1]})"
                continue
            run, name, rest = ("RUN_B", pair[1], theirs) if yours is None else ("RUN_A", pair[0], ours)
            instead = ", ".join(m if not s else f"{m} by {s}" for m, s in rest)
            word = f"other {basis.grader}: " if instead and basis.grader else ""
            yield what, f"{word}{run} has {instead or 'not got it'} for {name}"


def _compared(a: _Side, b: _Side, mine: MetricSeries, yours: MetricSeries, by_content: bool) -> tuple[Compared, Tested] | None:
    ours, theirs = a.values(mine, by_content=by_content), b.values(yours, by_content=by_content)
    common = [place for place in ours if place in theirs]
    if not common:
        return None
    first = np.array([ours[place][0] for place in common])
    second = np.array([theirs[place][0] for place in common])
    clusters = np.array([a.sources.cluster(ours[place][1]) for place in common], dtype=str)
    difference = second - first
    tested = test_pairs(second, first, clusters, float(clustered_errors(difference[None], clusters)[0]))
    assert tested is not None, "there is a pair"
    binary = mine.metric.unit.proportion and right_or_wrong(np.concatenate([first, second]))
    found = paired_intervals(difference[None], clusters, binary=binary)
    sign, right = (-1, 0) if mine.metric.higher_is_better is False else (1, 1)
    cell = Compared(
        mine.key.task,
        mine.key.language,
        mine.key.profile,
        mine.metric.name,
        mine.metric.unit.name,
        mine.grader,
        mine.variant,
        yours.variant,
        n=len(common),
        clusters=int(found.clusters[0]),
        only_a=len(ours) - len(common),
        only_b=len(theirs) - len(common),
        value_a=float(first.mean()),
        value_b=float(second.mean()),
        fixed=int((sign * difference > 0).sum()),
        broken=int((sign * difference < 0).sum()),
        both_right=int(((first == right) & (second == right)).sum()) if binary else None,
        both_wrong=int(((first == 1 - right) & (second == 1 - right)).sum()) if binary else None,
        equal=int((difference == 0).sum()),
        delta=float(difference.mean()),
        delta_low=known(found.low[0]),
        delta_high=known(found.high[0]),
        test=tested.test,
        p_value=tested.p_value,
        p_holm=tested.p_value,
        smallest_detectable=None,
        higher_is_better=mine.metric.higher_is_better,
    )
    return cell, tested
