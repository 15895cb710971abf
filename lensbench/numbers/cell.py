"""One number of a run, as it is made, written and read back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from lensbench.jsonio import JsonObject
from lensbench.metrics import SCORES, metric_in
from lensbench.numbers.one_sided import one_sided
from lensbench.numbers.verdict import Verdict
from lensbench.records import TaskKey
from lensbench.records.described import NOT_RECORDED
from lensbench.records.from_object import from_object

__all__ = ["Cell"]


@dataclass(frozen=True)
class Cell:
    """One number in a table."""

    task: str
    language: str
    profile: str
    variant: str
    metric: str
    unit: str
    """"share" (0 to 1), "rating" (on the judge's scale), or "number" (of a metric that is not known to be a share)."""
    source: str
    """Signature of the identifier or judge; "" for log-likelihoods. Unlike sources never share a series."""
    value: float | None
    """Mean over what has a score; None when nothing has."""
    n: int
    """Items asked and answered; for ratings, gradings made or failed."""
    failures: int | None
    """Of those, without a score; None where an older version did not say."""
    low: float | None
    high: float | None
    """95% interval of `value` (docs/statistics.md); None where none would mean anything."""
    delta: float | None
    """Mean difference to `base` over what both have a score for; None for `base` itself."""
    delta_low: float | None
    delta_high: float | None
    """95% interval of `delta` (docs/statistics.md); None where none would mean anything."""
    signature: str
    """Everything needed to say what this number is, in one line."""
    states: dict[str, int]
    """Items, or gradings, by state."""
    planned: int
    """What the run is to have; more than `n` while it is unfinished."""
    picks: tuple[int, ...]
    """How often each choice had the highest log-likelihood, in the order of the choices; empty for open questions."""
    clusters: int | None
    """Source items among the items that have a score; None where an older version did not say."""
    test: str | None
    """"mcnemar", "sign-flip" or, of a metric of the corpus, "swap". None where nothing is tested: `base`, and numbers that are
    not their task's own."""
    p_value: float | None
    """Two-sided p-value of the paired test, not adjusted: a single cell is exploratory (docs/statistics.md). Null hypothesis:
    swapping variant and base on each source item changes nothing."""
    smallest_detectable: float | None
    """Smallest true difference that this test by itself detects in four of five cases; None if undefined."""
    tied: int = 0
    """Items that rounding could decide (docs/engines.md); they count as they fell."""
    higher_is_better: bool | None = True
    """As the task's definition says; None where nothing does, and then no difference is better or worse."""
    verdict: Verdict | None = None
    """"exploratory" where the difference to `base` was tested, else None: verdicts are on endpoints and their languages
    (`lensbench.numbers.average`)."""
    chance: float | None = None
    """Mean over items of the score of a blind guess; None where the metric is not which choice is the likeliest."""
    leads: tuple[str, ...] = ()
    """As of an average."""
    repeats: int | None = None
    """How often the judge graded each answer; None where no judge was asked, or an older version did not say."""
    pairs: int | None = None
    """Scores that have a counterpart in `base`; None of `base`, and where an older version did not say."""
    differing: int | None = None
    """Of these, those that differ from it. Of 0 differing ones, `delta_high` is the largest that is still plausible."""
    given: str | None = None
    """What gave the number, where it came without items; None where it was made from records."""

    @property
    def key(self) -> TaskKey:
        """Task and language; a run asks these under one profile."""
        return TaskKey(self.task, self.language)

    @property
    def one_option(self) -> int | None:
        """The choice that got nearly all items, so that the number says little but how often it is right; None of others."""
        return one_sided(self.picks)

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> Cell:
        """A cell as it stands in `results.json`; of an older version, with what can be told from the rest."""
        metric = metric_in(content)
        source = content.get("source") or ("" if "source" in content or metric.basis is SCORES else NOT_RECORDED)
        told = {"unit": metric.unit.name, "higher_is_better": metric.higher_is_better, "planned": content["n"]}
        return from_object(cls, {**_UNTOLD, **told, **content, "source": source})

    def as_dict(self) -> JsonObject:
        """The cell as it is written; `given` only where it is."""
        return {name: value for name, value in asdict(self).items() if name != "given" or value is not None}


_UNTOLD: JsonObject = {
    **dict.fromkeys(("failures", "low", "high", "delta", "delta_low", "delta_high", "clusters", "test", "p_value")),
    "smallest_detectable": None,
    "signature": "",
    "states": {},
    "picks": (),
}
"""What an older version did not say of a cell."""
