"""Averages as in papers: over the tasks of a language, over the target languages of a task, and over both."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from lensbench.jsonio import JsonObject
from lensbench.languages import CENTRAL
from lensbench.metrics import Metric, metric_in
from lensbench.numbers.pair import DRAWS, SEED, SourceItems
from lensbench.numbers.read_metrics import MetricSeries
from lensbench.numbers.signature import RunIdentity, average_signature
from lensbench.numbers.verdict import Verdict, make_verdict
from lensbench.records import TaskKey
from lensbench.records.from_object import from_object
from lensbench.spec import BASE
from lensbench.stats import bootstrap_means, clustered_errors, detectable_mean, holm, sign_flip
from lensbench.tasks.lm_eval_names import UNKNOWN

__all__ = ["NOT_IN_ENGLISH", "Average", "average"]

NOT_IN_ENGLISH = "xcopa"
"""The task that the papers' English mean leaves out: its English version is COPA, from which XCOPA was translated."""

_WITHOUT = f"tasks without {NOT_IN_ENGLISH}"


@dataclass(frozen=True)
class Average:
    """The mean of several cells of one variant, each counting alike; over both, each language counts alike.

    Items are never pooled, so a task with more of them weighs no more. A variant that lacks a number of one of the cells has no
    average: it is never taken over fewer.
    """

    over: str
    """"tasks", "languages" (targets only: English is what an enhancement may cost) or "tasks and languages"; in English also
    "tasks without xcopa", as papers print it."""
    task: str | None
    """Task of an average over languages."""
    language: str | None
    """Language of an average over tasks."""
    profile: str
    variant: str
    metric: str
    unit: str
    source: str
    cells: tuple[str, ...]
    """`TASK/LANGUAGE` of the averaged cells."""
    value: float | None
    n: int
    """Scores in it."""
    clusters: int | None
    """Source items in it: one that stands in several languages counts once, and is drawn as one; None where an older version
    did not say."""
    unnamed: int | None
    """Items of the cells that name no source item and so count as their own."""
    low: float | None
    high: float | None
    """95% bootstrap interval over source items; None where all scores are equal, of which a bootstrap can say nothing."""
    delta: float | None
    """Mean of the cells' paired differences to `base`."""
    delta_low: float | None
    delta_high: float | None
    p_value: float | None
    """p-value by sign flips of whole source items."""
    p_holm: float | None
    """Adjusted by Holm over all averages of the variant; they are a family of their own. One without xcopa stands there in place
    of the English one over all tasks, so that it is no further test to the others."""
    smallest_detectable: float | None
    signature: str
    higher_is_better: bool | None = True
    """Direction of the metric in all cells; metrics with different directions are never averaged."""
    verdict: Verdict | None = None
    """Verdict on the difference to `base`; None if nothing was tested."""

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> Average:
        """An average as it stands in `results.json`; of an older version, with what can be told from the rest."""
        metric = metric_in(content)
        told = {"unit": metric.unit.name, "higher_is_better": metric.higher_is_better}
        return from_object(cls, {**_UNTOLD, **told, **content, "source": content.get("source") or ""})

    def as_dict(self) -> JsonObject:
        return asdict(self)


_UNTOLD: JsonObject = {
    **dict.fromkeys(("clusters", "unnamed", "low", "high", "delta", "delta_low", "delta_high", "p_value", "p_holm")),
    "smallest_detectable": None,
    "signature": "",
}
"""What an older version did not say of an average."""


_Table = dict[TaskKey, dict[str, MetricSeries]]
"""Task -> variant -> its series."""


@dataclass(frozen=True)
class _Group:
    over: str
    task: str | None
    language: str | None
    profile: str
    metric: Metric
    grader: str
    keys: tuple[TaskKey, ...]

    @property
    def weights(self) -> Any:
        """Cells alike; over both, languages alike and a language's tasks alike."""
        if self.task is not None or self.language is not None:
            return np.ones(len(self.keys))
        often = Counter(key.language for key in self.keys)
        return np.array([1 / often[key.language] for key in self.keys])


def average(series: list[MetricSeries], sources: SourceItems, made: RunIdentity) -> list[Average]:
    """All averages of a run.

    Args:
        series: Of headline metrics. Those of scored choices are averaged over tasks; shares of answers in the asked language and
            ratings only over languages, since tasks with such numbers measure unlike things.
    """
    by_key: dict[tuple[str, str, str, bool | None], dict[TaskKey, dict[str, MetricSeries]]] = defaultdict(
        lambda: defaultdict(dict)
    )
    for one in series:
        key = (one.key.profile, one.metric.name, one.grader, one.metric.higher_is_better)
        by_key[key][one.key][one.variant] = one
    found: list[Average] = []
    errors: list[float] = []
    for (profile, _, grader, _), table in by_key.items():
        metric = next(one.metric for own in table.values() for one in own.values())
        for group in _groups(profile, metric, grader, [key for key in sources.keys if key in table]):
            for entry, error in _averaged(group, table, sources, made):
                found.append(entry)
                errors.append(error)
    done = list(found)
    for variant in {entry.variant for entry in found}:
        tested = [i for i, entry in enumerate(found) if entry.variant == variant and entry.p_value is not None]
        family = [i for i in tested if found[i].over != _WITHOUT]
        for i, p_holm in _adjusted(found, family).items():
            done[i] = replace(found[i], p_holm=p_holm, smallest_detectable=detectable_mean(errors[i], tests=len(family)))
        for i in tested:
            if found[i].over == _WITHOUT:
                instead = [j for j in family if not _over_all_tasks(found[j], found[i])] + [i]
                done[i] = replace(
                    found[i],
                    p_holm=_adjusted(found, instead)[i],
                    smallest_detectable=detectable_mean(errors[i], tests=len(instead)),
                )
    return [replace(one, verdict=_verdict(one)) for one in done]


def _verdict(one: Average) -> Verdict | None:
    return make_verdict(one.p_holm, one.delta_low, one.delta_high, one.higher_is_better)


def _adjusted(found: list[Average], family: list[int]) -> dict[int, float]:
    """Place in `found` -> p after Holm, of a family of such places."""
    adjusted = holm(np.array([found[i].p_value for i in family], dtype=float))
    return {i: float(p_holm) for i, p_holm in zip(family, adjusted, strict=True)}


def _over_all_tasks(one: Average, some: Average) -> bool:
    """Whether one average is over all tasks and the other over some of them."""
    same = ("language", "profile", "metric", "source")
    return one.over == "tasks" and all(getattr(one, name) == getattr(some, name) for name in same)


def _groups(profile: str, metric: Metric, grader: str, keys: list[TaskKey]) -> list[_Group]:
    groups = []
    targets = [key for key in keys if key.language not in (CENTRAL, UNKNOWN)]
    tasks = list(dict.fromkeys(key.task for key in keys))
    languages = list(dict.fromkeys(key.language for key in keys))
    if metric.basis.over_tasks:
        for code in languages:
            own = tuple(key for key in keys if key.language == code)
            if len(own) > 1:
                groups.append(_Group("tasks", None, code, profile, metric, grader, own))
            some = tuple(key for key in own if key.task != NOT_IN_ENGLISH)
            if code == CENTRAL and 1 < len(some) < len(own):
                groups.append(_Group(_WITHOUT, None, code, profile, metric, grader, some))
    for task in tasks:
        own = tuple(key for key in targets if key.task == task)
        if len(own) > 1:
            groups.append(_Group("languages", task, None, profile, metric, grader, own))
    if metric.basis.over_tasks and len({k.task for k in targets}) > 1 and len({k.language for k in targets}) > 1:
        groups.append(_Group("tasks and languages", None, None, profile, metric, grader, tuple(targets)))
    return groups


def _averaged(group: _Group, table: _Table, sources: SourceItems, made: RunIdentity) -> list[tuple[Average, float]]:
    """One average of every variant that has any of its cells, with the standard error of its difference."""
    variants = [name for name in made.about["variants"] if any(name in table[key] for key in group.keys)]
    cells = [str(key) for key in group.keys]
    rows = [_joined(group, table, variant) for variant in variants]
    place = {key: number for number, key in enumerate(dict.fromkeys(key for row in rows for key in row))}
    if not place:
        return []
    values = np.full((len(variants), len(place)), np.nan)
    for number, scores in enumerate(rows):
        for key, value in scores.items():
            values[number, place[key]] = value
    clusters = np.array([sources.cluster(item) for _, item, _ in place], dtype=str)
    numbers = np.array([cell for cell, _, _ in place], dtype=np.int64)
    # A cell in which no variant has a score leaves nobody with an average.
    if len(np.unique(numbers)) < len(group.keys):
        values[:] = np.nan
    base = values[variants.index(BASE)] if BASE in variants else np.full(len(place), np.nan)
    differences = values - base
    weights = group.weights
    found = bootstrap_means(
        np.concatenate([values, differences]), clusters, cells=numbers, weights=weights, draws=DRAWS, seed=SEED
    )
    varied = [len(np.unique(row[~np.isnan(row)])) > 1 for row in values]
    errors = clustered_errors(differences, clusters, cells=numbers, weights=weights)
    p_values = sign_flip(differences, clusters, cells=numbers, weights=weights, draws=DRAWS, seed=SEED)
    made_of = []
    for row, variant in enumerate(variants):
        paired = row + len(variants) if variant != BASE else None
        n = int((~np.isnan(values[row])).sum())
        name = ":".join(part for part in (group.over.replace(" ", "-"), group.task or group.language) if part)
        entry = Average(
            group.over,
            group.task,
            group.language,
            group.profile,
            variant,
            group.metric.name,
            group.metric.unit.name,
            group.grader,
            tuple(cells),
            value=_known(found.value[row]),
            n=n,
            clusters=int(found.clusters[row]),
            unnamed=sum(sources.unnamed[cell] for cell in cells),
            low=_known(found.low[row]) if varied[row] else None,
            high=_known(found.high[row]) if varied[row] else None,
            delta=_known(found.value[paired]) if paired else None,
            delta_low=_known(found.low[paired]) if paired else None,
            delta_high=_known(found.high[paired]) if paired else None,
            p_value=_known(p_values[row]) if paired else None,
            p_holm=None,
            smallest_detectable=None,
            signature=average_signature(made, variant, name=name, cells=cells, n=n, metric=group.metric, grader=group.grader),
            higher_is_better=group.metric.higher_is_better,
        )
        made_of.append((entry, float(errors[row])))
    return made_of


def _joined(group: _Group, table: _Table, variant: str) -> dict[tuple[int, str, int], float]:
    """(cell, item, turn) -> value."""
    return {
        (number, item, turn): value
        for number, key in enumerate(group.keys)
        if variant in table[key]
        for (item, turn), value in table[key][variant].values.items()
    }


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
