"""Which variants of a run have one method and the same settings, and differ in the seed of their fit only."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lensbench.jsonio import json_text
from lensbench.numbers.fitted_variants import fitted_variants
from lensbench.records import RunFolder

__all__ = ["SeedSetting", "seed_settings", "without_seed"]

_OWN_SEED = re.compile(r"(?:,|(?<=\[))seed=-?\d+(?=[,\]])")
"""The seed in a name that was made from settings: `lens[rank=2,seed=1]`."""


@dataclass(frozen=True)
class SeedSetting:
    """One method with one configuration, fitted with several seeds.

    Attributes:
        name: What the variants' names have in common, `lens` of `lens` and `lens[seed=1]`; else all names.
        seeds: Seed of each variant; no two are equal.
    """

    name: str
    method: str
    variants: tuple[str, ...]
    seeds: tuple[int, ...]


def seed_settings(folder: RunFolder) -> list[SeedSetting]:
    """The settings of a run that were fitted with two seeds or more, in its order.

    A variant whose configuration is not recorded is in none of them, and of two with one seed the first counts.
    """
    alike: dict[str, dict[int, str]] = {}
    methods: dict[str, str] = {}
    for variant in fitted_variants(folder):
        if variant.config is None or variant.seed is None or variant.failed is not None:
            continue
        key = json_text([variant.method, variant.config], sort_keys=True)
        methods[key] = variant.method
        alike.setdefault(key, {}).setdefault(variant.seed, variant.name)
    return [
        SeedSetting(without_seed(tuple(own.values())), methods[key], tuple(own.values()), tuple(own))
        for key, own in alike.items()
        if len(own) > 1
    ]


def without_seed(variants: tuple[str, ...]) -> str:
    """The name without its seed where that is the same for all; else the names of all."""
    without = {_OWN_SEED.sub("", name).replace("[,", "[").removesuffix("[]") for name in variants}
    return without.pop() if len(without) == 1 else ", ".join(variants)
