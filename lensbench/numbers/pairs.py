"""The variants of a run against each other, on its endpoints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lensbench.jsonio import JsonObject
from lensbench.numbers.average_groups import AverageGroup
from lensbench.numbers.pair import known
from lensbench.numbers.verdict import Verdict, make_verdict
from lensbench.records.from_object import from_object
from lensbench.spec import BASE
from lensbench.stats import holm, paired_intervals, sign_flip

__all__ = ["MOST_COMPARED", "Pair", "not_compared", "pairs_of"]

MOST_COMPARED = 64
"""Of more variants no pairs are made: 300 have 44,850, and Holm over as many tells nothing apart."""


@dataclass(frozen=True)
class Pair:
    """Two enhanced variants on one endpoint, over the items that both have a score for."""

    profile: str
    metric: str
    unit: str
    source: str
    cells: tuple[str, ...]
    variant: str
    other: str
    delta: float
    """`variant` less `other`."""
    delta_low: float | None
    delta_high: float | None
    p_value: float
    p_holm: float
    """Adjusted by Holm over all pairs of the endpoint."""
    higher_is_better: bool | None
    verdict: Verdict | None
    """On `variant`, compared with `other`."""

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> Pair:
        """A pair as it stands in `results.json`."""
        return from_object(cls, content)

    def as_dict(self) -> JsonObject:
        return asdict(self)


def pairs_of(
    group: AverageGroup,
    variants: Sequence[str],
    values: NDArray[Any],
    clusters: NDArray[Any],
    cells: NDArray[Any],
    *,
    binary: bool,
    draws: int,
    seed: int,
) -> list[Pair]:
    """Every pair of enhanced variants that have the endpoint, the earlier one of the run first; none of more than 64 variants.

    Args:
        values: `[variants, items]`, NaN where a variant has no value.
        clusters, cells: `[items]`.
        binary: Whether every value is 0 or 1.
    """
    enhanced = [row for row, name in enumerate(variants) if name != BASE]
    if len(enhanced) > MOST_COMPARED:
        return []
    chosen = [(a, b) for place, a in enumerate(enhanced) for b in enhanced[place + 1 :]]
    if not chosen:
        return []
    differences = np.stack([values[a] - values[b] for a, b in chosen])
    within = {"cells": cells, "weights": group.weights}
    found = paired_intervals(differences, clusters, binary=binary, **within)
    p_values = sign_flip(differences, clusters, draws=draws, seed=seed, **within)
    adjusted, more = holm(p_values), group.metric.higher_is_better
    pairs = []
    for place, (a, b) in enumerate(chosen):
        if np.isnan(p_values[place]):
            continue
        low, high = known(found.low[place]), known(found.high[place])
        p_holm = float(adjusted[place])
        pairs.append(
            Pair(
                group.profile,
                group.metric.name,
                group.metric.unit.name,
                group.grader,
                tuple(str(key) for key in group.keys),
                variants[a],
                variants[b],
                delta=float(found.value[place]),
                delta_low=low,
                delta_high=high,
                p_value=float(p_values[place]),
                p_holm=p_holm,
                higher_is_better=more,
                verdict=make_verdict(p_holm, low, high, more),
            )
        )
    return pairs


def not_compared(variants: Sequence[str]) -> str | None:
    """Why the variants of a run are not compared with each other; None where they are."""
    count = sum(name != BASE for name in variants)
    if count <= MOST_COMPARED:
        return None
    pairs = count * (count - 1) // 2
    return f"pairs of variants: {count} variants make {pairs:,}, and at most {MOST_COMPARED} variants are compared"
