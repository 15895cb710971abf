"""Levels of settings with several seeds: the mean, every seed, and the interval of seeds and items around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lensbench.numbers.average import Average
from lensbench.numbers.seed_groups import SeedGroup
from lensbench.reporting.blocks import BlockCell
from lensbench.reporting.run_view import RunView

__all__ = ["SeedMean", "seed_mean", "seeds_beside"]


@dataclass(frozen=True)
class SeedMean:
    """One setting in one language.

    Attributes:
        value: Mean of the seeds' values.
        low, high: 95% interval of the difference to `base` over seeds and items, around `value`; None where there is none.
        seeds: Value of each seed.
    """

    value: float
    low: float | None
    high: float | None
    seeds: tuple[float, ...]


def seeds_beside(run: RunView, variants: Sequence[str]) -> list[tuple[str, ...]]:
    """Those of the variants that differ in their seed only, together; variants without such a partner are in none."""
    wanted = set(variants)
    return [
        setting.variants
        for setting in run.sweep_table.settings
        if len(setting.variants) > 1 and wanted.issuperset(setting.variants)
    ]


def seed_mean(run: RunView, variants: Sequence[str], cells: Sequence[BlockCell]) -> SeedMean | None:
    """The seeds of a setting as one number; None where no seed has a value.

    Args:
        variants: The seeds.
        cells: The number of each of them that has one.
    """
    values = [cell.number.value for cell in cells if cell.number.value is not None]
    if not values:
        return None
    mean = sum(values) / len(values)
    group = next((group for group in run.results.seed_groups if _is_of(group, variants, cells[0])), None)
    if group is None or group.delta is None or group.delta_low is None or group.delta_high is None:
        return SeedMean(mean, None, None, tuple(values))
    return SeedMean(mean, mean + group.delta_low - group.delta, mean + group.delta_high - group.delta, tuple(values))


def _is_of(group: SeedGroup, variants: Sequence[str], cell: BlockCell) -> bool:
    """Whether a group is over these seeds and over the same tasks and language as a number."""
    one = cell.number
    keys = one.cells if isinstance(one, Average) else (str(one.key),)
    alike = (group.profile, group.metric, group.source, group.higher_is_better)
    mine = (one.profile, one.metric, one.source, one.higher_is_better)
    return alike == mine and group.variants == tuple(variants) and set(group.cells) == set(keys)
