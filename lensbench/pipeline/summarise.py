"""Numbers are made here and nowhere else: item records in, cells out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from lensbench.pipeline.observe import Column, Kind, observe
from lensbench.pipeline.variants import BASE
from lensbench.stats import Interval, clustered_mean, paired_difference, wilson
from lensbench.store import RunFolder

__all__ = ["Cell", "summarise"]

_DRAWS = 10_000
_SEED = 12345


@dataclass(frozen=True)
class Cell:
    """One number in a table."""

    task: str
    language: str
    profile: str
    variant: str
    metric: str
    unit: str
    """"share" (0 to 1) or "rating" (on the judge's scale)."""
    source: str
    """Signature of the identifier or judge; "" for log-likelihoods. Unlike sources never share a column."""
    value: float | None
    """Mean over what has a score; None when nothing has."""
    n: int
    """Items asked and answered; for ratings, gradings made or failed."""
    failures: int
    """Of those, without a score."""
    low: float | None
    high: float | None
    """95% interval of `value`: Wilson where every item is 0 or 1, else a bootstrap over items."""
    delta: float | None
    """Mean difference to `base` over what both have a score for; None for `base` itself."""
    delta_low: float | None
    delta_high: float | None
    """95% paired bootstrap interval of `delta`, over items."""
    signature: str
    """Everything needed to say what this number is, in one line."""
    states: dict[str, int]
    """Items, or gradings, by state."""
    planned: int
    """What the run is to have; more than `n` while it is unfinished."""
    picks: tuple[int, ...]
    """How often each choice had the highest log-likelihood, in the order of the choices; empty for open questions."""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def summarise(folder: RunFolder) -> list[Cell]:
    """All cells of a run, from its records only."""
    about = folder.read_json("variants.json")
    columns = {(c.kind, c.variant, c.source, c.metric): c for c in observe(folder)}
    cells = [_cell(column, columns.get((column.kind, BASE, column.source, column.metric)), about) for column in columns.values()]
    kinds = {kind: index for index, kind in enumerate(dict.fromkeys(_kinds(folder)))}
    metrics = {metric: index for index, metric in enumerate(dict.fromkeys(c.metric for c in columns.values()))}
    variants = list(about["variants"])
    cells.sort(
        key=lambda c: (
            kinds.get((c.task, c.language, c.profile), len(kinds)), metrics[c.metric], c.source, variants.index(c.variant),
        )
    )  # fmt: skip
    return cells


def _kinds(folder: RunFolder) -> list[Kind]:
    return [(r["task"], r["language"], r["profile"]) for r in folder.records("items")]


def _cell(column: Column, base: Column | None, about: dict[str, Any]) -> Cell:
    interval = _interval(column)
    delta = _delta(column, base) if base is not None and column.variant != BASE else None
    picked = column.picks
    n = column.states.total()
    return Cell(
        *column.kind, column.variant, column.metric, column.unit, column.source,
        value=interval.value if interval else None,
        n=n,
        failures=column.failures,
        low=interval.low if interval else None,
        high=interval.high if interval else None,
        delta=delta.value if delta else None,
        delta_low=delta.low if delta else None,
        delta_high=delta.high if delta else None,
        signature=_signature(about, column, n),
        states=dict(column.states),
        planned=column.planned,
        picks=tuple(picked[choice] for choice in range(max(picked) + 1)) if picked else (),
    )  # fmt: skip


def _interval(column: Column) -> Interval | None:
    if not column.values:
        return None
    values = np.array(list(column.values.values()))
    clusters = _clusters(column.values)
    if column.unit == "share" and np.isin(values, (0.0, 1.0)).all() and len(set(clusters)) == len(values):
        return wilson(values)
    return clustered_mean(values, clusters, draws=_DRAWS, seed=_SEED)


def _delta(column: Column, base: Column) -> Interval | None:
    both = {place: value for place, value in column.values.items() if place in base.values}
    if not both:
        return None
    theirs = np.array([base.values[place] for place in both])
    return paired_difference(np.array(list(both.values())), theirs, clusters=_clusters(both), draws=_DRAWS, seed=_SEED)


def _clusters(values: Mapping[tuple[str, int], float]) -> Any:
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(item, len(numbers)) for item, _ in values])


def _signature(about: dict[str, Any], column: Column, n: int) -> str:
    task, language, profile = column.kind
    asked = about["tasks"][f"{task}/{language}"]
    digest = about["variants"][column.variant]["digest"]
    kind = "judge" if column.unit == "rating" else "lid"
    parts = [
        f"{task}:{language}",
        f"v{asked['version']}",
        f"p:{profile}:{asked['protocol']}",
        f"rows:{asked['rows']}",
        f"n:{n}",
        f"m:{column.metric}",
        f"w:{about['backbone_digest'][:24]}",
        f"e:{digest[:12]}",
        f"dtype:{about['dtype']}",
        *([f"{kind}:{column.source}"] if column.source else []),
        f"bs:{_DRAWS}",
        f"s:{_SEED}",
        f"lensbench:{about['lensbench']}",
    ]
    return "|".join(parts)
