"""Numbers are made here and nowhere else: item records in, cells out."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from lensbench.pipeline.variants import BASE
from lensbench.stats import paired_difference, wilson
from lensbench.store import RunFolder

__all__ = ["Cell", "summarise"]

_DRAWS = 10_000
_SEED = 12345
_FAILED = ("not_finite", "letters_collide")
"""States that leave an item without a score. An empty answer does have one: it is unfaithful."""


@dataclass(frozen=True)
class Cell:
    """One number in a table."""

    task: str
    language: str
    profile: str
    variant: str
    metric: str
    value: float | None
    """Mean over the items that have a score; None when none has."""
    n: int
    """Items asked and answered."""
    failures: int
    """Items without a score."""
    low: float | None
    high: float | None
    """95% Wilson interval of `value`."""
    delta: float | None
    """Mean difference to `base` over the items both have a score for; None for `base` itself."""
    delta_low: float | None
    delta_high: float | None
    """95% paired bootstrap interval of `delta`."""
    signature: str
    """Everything needed to say what this number is, in one line."""
    states: dict[str, int]
    """Items by state: ok, empty, not_finite, letters_collide."""
    planned: int
    """Items the run is to ask; more than `n` while it is unfinished."""
    picks: tuple[int, ...]
    """How often each choice had the highest log-likelihood, in the order of the choices; empty for open questions."""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def summarise(folder: RunFolder) -> list[Cell]:
    """All cells of a run, from its records only."""
    groups: dict[tuple[str, str, str, str, str], dict[str, dict[str, Any]]] = defaultdict(dict)
    metric_names: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for stage in ("score", "identified"):
        for record in folder.records(stage):
            kind = (record["task"], record["language"], record["profile"])
            groups[(*kind, record["variant"], record.get("identifier", ""))][record["item"]] = record
            for name in record["metrics"]:
                if name not in metric_names[kind]:
                    metric_names[kind].append(name)
    about = folder.read_json("variants.json")
    planned = Counter((r["task"], r["language"], r["profile"]) for r in folder.records("items"))
    cells = []
    for (task, language, profile, variant, identifier), records in groups.items():
        kind = (task, language, profile)
        base = groups.get((*kind, BASE, identifier), {})
        for metric in metric_names[kind] or ["acc"]:
            signature = _signature(about, *kind, variant, metric, identifier, len(records))
            cells.append(_cell(kind, variant, metric, records, base, signature, planned[kind]))
    order = {kind: index for index, kind in enumerate(planned)}
    variants = list(about["variants"])
    cells.sort(key=lambda c: (order.get((c.task, c.language, c.profile), len(order)), c.metric, variants.index(c.variant)))
    return cells


def _cell(
    kind: tuple[str, str, str], variant: str, metric: str, records: Mapping[str, dict[str, Any]],
    base: Mapping[str, dict[str, Any]], signature: str, planned: int,
) -> Cell:  # fmt: skip
    states = Counter(record["state"] for record in records.values())
    picked = Counter(_pick(record) for record in records.values() if record["state"] == "ok" and "loglikelihoods" in record)
    scores = {item: r["metrics"][metric] for item, r in records.items() if metric in r["metrics"]}
    interval = wilson(np.array(list(scores.values()))) if scores else None
    delta = None
    if variant != BASE:
        both = [i for i in scores if metric in base.get(i, {"metrics": {}})["metrics"]]
        if both:
            theirs = np.array([base[i]["metrics"][metric] for i in both])
            delta = paired_difference(np.array([scores[i] for i in both]), theirs, draws=_DRAWS, seed=_SEED)
    return Cell(
        *kind, variant, metric,
        value=interval.value if interval else None,
        n=len(records),
        failures=sum(states[state] for state in _FAILED),
        low=interval.low if interval else None,
        high=interval.high if interval else None,
        delta=delta.value if delta else None,
        delta_low=delta.low if delta else None,
        delta_high=delta.high if delta else None,
        signature=signature,
        states=dict(states),
        planned=planned,
        picks=tuple(picked[choice] for choice in range(max(picked) + 1)) if picked else (),
    )  # fmt: skip


def _pick(record: Mapping[str, Any]) -> int:
    return int(np.argmax(record["loglikelihoods"]))


def _signature(
    about: dict[str, Any], task: str, language: str, profile: str, variant: str, metric: str, identifier: str, n: int
) -> str:
    asked = about["tasks"][f"{task}/{language}"]
    digest = about["variants"][variant]["digest"]
    parts = [
        f"{task}:{language}",
        f"v{asked['version']}",
        f"p:{profile}:{asked['protocol']}",
        f"rows:{asked['rows']}",
        f"n:{n}",
        f"m:{metric}",
        f"w:{about['backbone_digest'][:24]}",
        f"e:{digest[:12]}",
        f"dtype:{about['dtype']}",
        *([f"lid:{identifier}"] if identifier else []),
        f"bs:{_DRAWS}",
        f"s:{_SEED}",
        f"lensbench:{about['lensbench']}",
    ]
    return "|".join(parts)
