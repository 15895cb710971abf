"""Means over the seeds of a setting, with an interval of seeds and items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lensbench.jsonio import JsonObject
from lensbench.numbers.average import Role
from lensbench.numbers.average_groups import AverageGroup
from lensbench.numbers.pair import known
from lensbench.numbers.seed_settings import SeedSetting
from lensbench.records.from_object import from_object
from lensbench.spec import BASE
from lensbench.stats import two_way_intervals

__all__ = ["SeedGroup", "seed_groups_of"]


@dataclass(frozen=True)
class SeedGroup:
    """One setting on one endpoint, one of its languages, or English: the difference to `base` over its seeds."""

    role: Role
    over: str
    task: str | None
    language: str | None
    profile: str
    metric: str
    unit: str
    source: str
    cells: tuple[str, ...]
    setting: str
    """`SeedSetting.name`."""
    method: str
    variants: tuple[str, ...]
    seeds: tuple[int, ...]
    """Seed of each variant."""
    measured: int
    """Seeds that have a difference to `base` in every cell; the numbers are over these."""
    delta: float | None
    """Mean of the seeds' differences to `base`."""
    deviation: float | None
    """Standard deviation of the seeds' differences."""
    least: float | None
    most: float | None
    """Smallest and largest difference of a seed."""
    delta_low: float | None
    delta_high: float | None
    """95% interval of `delta` over seeds and items (`lensbench.stats.two_way`)."""
    higher_is_better: bool | None
    why: str = ""
    """Why there is no interval; "" where there is one."""

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> SeedGroup:
        """A group as it stands in `results.json`."""
        return from_object(cls, content)

    def as_dict(self) -> JsonObject:
        return asdict(self)


def seed_groups_of(
    group: AverageGroup,
    settings: Sequence[SeedSetting],
    variants: Sequence[str],
    values: NDArray[Any],
    clusters: NDArray[Any],
    cells: NDArray[Any],
    *,
    binary: bool,
) -> list[SeedGroup]:
    """Every setting with several seeds on one average; none for averages that are only shown.

    Args:
        values: `[variants, items]`, NaN where a variant has no value.
        clusters, cells: `[items]`.
        binary: Whether every value is 0 or 1.
    """
    if group.role == "exploratory" or not settings:
        return []
    place = {name: row for row, name in enumerate(variants)}
    differences = np.full((len(settings), max(len(one.variants) for one in settings), values.shape[1]), np.nan)
    for row, setting in enumerate(settings):
        for column, name in enumerate(setting.variants):
            if name in place and BASE in place:
                differences[row, column] = values[place[name]] - values[place[BASE]]
    found = two_way_intervals(differences, clusters, binary=binary, cells=cells, weights=group.weights)
    groups = []
    for row, setting in enumerate(settings):
        low, high, measured = known(found.low[row]), known(found.high[row]), int(found.seeds[row])
        groups.append(
            SeedGroup(
                group.role,
                group.over,
                group.task,
                group.language,
                group.profile,
                group.metric.name,
                group.metric.unit.name,
                group.grader,
                tuple(str(key) for key in group.keys),
                setting.name,
                setting.method,
                setting.variants,
                setting.seeds,
                measured=measured,
                delta=known(found.value[row]),
                deviation=known(found.deviation[row]),
                least=known(found.least[row]),
                most=known(found.most[row]),
                delta_low=low,
                delta_high=high,
                higher_is_better=group.metric.higher_is_better,
                why="" if low is not None else _why(measured),
            )
        )
    return groups


def _why(measured: int) -> str:
    if measured == 0:
        return "no seed has a difference to base in every cell"
    return "one seed" if measured == 1 else "too few source items, or differences that do not vary"
