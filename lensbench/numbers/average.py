"""One average of a run: an endpoint, one of its languages, English, or one that is only shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from lensbench.jsonio import JsonObject
from lensbench.metrics import metric_in
from lensbench.numbers.verdict import Verdict
from lensbench.records.from_object import from_object

__all__ = ["Average", "Retention", "Role"]

Role = Literal["endpoint", "language", "english", "exploratory"]
"""What an average is for (docs/statistics.md). "endpoint": over all target languages; the endpoints of a run are tested together.
"language": one target language of an endpoint; tested where the endpoint passed. "english": asked whether it got worse.
"exploratory": shown with its interval, and no verdict."""

Retention = Literal["shown", "not shown", "worse"]
"""Whether English was kept. "shown": the 95% interval holds no loss as large as the margin. "worse": it holds nothing but losses.
"not shown": neither."""


@dataclass(frozen=True)
class Average:
    """The mean of several cells of one variant: languages count alike, and so do the tasks of a language.

    Items are never pooled, so a task with more of them weighs no more. A variant that lacks a number of one of the cells has no
    average: it is never taken over fewer.
    """

    role: Role
    over: str
    """"tasks and languages", "languages", "tasks", or "cell" where it is of one task in one language; in English also "tasks
    without xcopa", as papers print it."""
    task: str | None
    """The task, where all cells are of one."""
    language: str | None
    """The language, where all cells are of one."""
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
    """Source items in it: one that stands in several languages counts once; None where an older version did not say."""
    unnamed: int | None
    """Items of the cells that name no source item and so count as their own."""
    low: float | None
    high: float | None
    """95% interval of `value` (docs/statistics.md); None where none would mean anything."""
    delta: float | None
    """Mean of the cells' paired differences to `base`."""
    delta_low: float | None
    delta_high: float | None
    """95% interval of `delta`, of this average alone: not adjusted for the number of tests."""
    p_value: float | None
    """Two-sided p-value, by sign flips of whole source items."""
    p_holm: float | None
    """Adjusted p-value of an endpoint or of one of its languages, over all variants and endpoints of the run
    (`lensbench.stats.gatekeeping`); None of others."""
    smallest_detectable: float | None
    """Smallest true difference that is detected in four of five cases, at the share of the level that the test begins with."""
    signature: str
    higher_is_better: bool | None = True
    """Direction of the metric in all cells; metrics with different directions are never averaged."""
    verdict: Verdict | None = None
    """Verdict on the difference to `base`; None if nothing was tested."""
    leads: tuple[str, ...] = ()
    """"all" where it is the best of all variants, "enhanced" where it is the best of all but `base`; in both cases only where a
    paired test (p below 0.05, not adjusted) tells it from the second best."""
    pairs: int | None = None
    """Scores that have a counterpart in `base`; None of `base`, and where an older version did not say."""
    differing: int | None = None
    """Of these, those that differ from it. Of 0 differing ones, `delta_high` is the largest that is still plausible."""
    margin: float | None = None
    """In English: the loss that counts as none, in the unit of `value`; None where none is set."""
    at_worst: float | None = None
    """In English: the end of the 95% interval of `delta` on the side of a loss."""
    retention: Retention | None = None
    """In English: whether it was kept; None of `base`, and where there is no interval."""

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
    "role": "exploratory",
    "smallest_detectable": None,
    "signature": "",
}
"""What an older version did not say of an average."""
