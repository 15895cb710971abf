"""Which variants of a run have one method and the same settings, and differ in the seed of their fit only."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from lensbench.jsonio import json_text
from lensbench.numbers.fitted_variants import FittedVariant, fitted_variants
from lensbench.records import RunFolder

__all__ = ["SeedSetting", "fitted_settings", "seed_settings", "without_seed"]

_OWN_SEED = re.compile(r"(?:,|(?<=\[))seed=-?\d+(?=[,\]])")
"""The seed in a name that was made from settings: `lens[rank=2,seed=1]`."""


@dataclass(frozen=True)
class SeedSetting:
    """One method with one configuration, fitted with one seed or several.

    Attributes:
        name: What the variants' names have in common, `lens` of `lens` and `lens[seed=1]`; else all names. Of one
            variant, its own name.
        seeds: Seed of each variant; no two are equal. Empty of a fit without a recorded seed.
    """

    name: str
    method: str
    variants: tuple[str, ...]
    seeds: tuple[int, ...]


def seed_settings(folder: RunFolder) -> list[SeedSetting]:
    """The settings of a run that were fitted with two seeds or more, in its order.

    A variant whose configuration is not recorded is in none of them, and of two with one seed the first counts.
    """
    return [one for one in _settings([v for v in fitted_variants(folder) if v.failed is None]) if len(one.variants) > 1]


def fitted_settings(folder: RunFolder) -> list[SeedSetting]:
    """Every setting that the run fits, in its order, also with one seed or without any; those that could not be fitted too.

    A variant whose configuration is not recorded is a setting of its own.
    """
    variants = fitted_variants(folder)
    found = _settings(variants)
    known = {name for one in found for name in one.variants}
    found += [SeedSetting(one.name, one.method, (one.name,), ()) for one in variants if one.name not in known]
    place = {one.name: one.place for one in variants}
    return sorted(found, key=lambda one: place[one.variants[0]])


def _settings(variants: Sequence[FittedVariant]) -> list[SeedSetting]:
    """Variants with a seed, grouped by the rest of their configuration."""
    alike: dict[str, dict[int, str]] = {}
    methods: dict[str, str] = {}
    for variant in variants:
        if variant.config is None or variant.seed is None:
            continue
        key = json_text([variant.method, variant.config], sort_keys=True)
        methods[key] = variant.method
        alike.setdefault(key, {}).setdefault(variant.seed, variant.name)
    return [
        SeedSetting(without_seed(tuple(own.values())), methods[key], tuple(own.values()), tuple(own))
        for key, own in alike.items()
    ]


def without_seed(variants: tuple[str, ...]) -> str:
    """The name without its seed where that is the same for all; else the names of all."""
    if len(variants) == 1:
        return variants[0]
    without = {_OWN_SEED.sub("", name).replace("[,", "[").removesuffix("[]") for name in variants}
    return without.pop() if len(without) == 1 else ", ".join(variants)
