"""Which variants of a run have one method and the same settings, and differ in the seed of their fit only."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lensbench.jsonio import json_text
from lensbench.records import RunFolder

__all__ = ["SeedSetting", "fitted_settings", "planned_config", "seed_settings"]

_SEED = "seed"
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
    described: Mapping[str, Mapping[str, Any]] = folder.read_json("variants.json")["variants"]
    return [one for one in _settings(folder, described) if len(one.variants) > 1]


def fitted_settings(folder: RunFolder) -> list[SeedSetting]:
    """Every setting that the run fits, in its order, also with one seed or without any; those that could not be fitted too.

    A variant whose configuration is not recorded is a setting of its own.
    """
    described: Mapping[str, Mapping[str, Any]] = folder.read_json("variants.json")["variants"]
    everything = {name: described.get(name, {"method": method}) for name, (method, _) in _planned(folder).items()}
    everything |= {name: facts for name, facts in described.items() if facts.get("method") is not None}
    found = _settings(folder, everything)
    known = {name for one in found for name in one.variants}
    alone = [SeedSetting(name, str(facts["method"]), (name,), ()) for name, facts in everything.items() if name not in known]
    place = {name: number for number, name in enumerate(everything)}
    return sorted([*found, *alone], key=lambda one: place[one.variants[0]])


def _settings(folder: RunFolder, described: Mapping[str, Mapping[str, Any]]) -> list[SeedSetting]:
    """Variants with a seed, grouped by the rest of their configuration.

    Args:
        described: Variant -> at least its method.
    """
    planned = _planned(folder)
    alike: dict[str, dict[int, str]] = {}
    methods: dict[str, str] = {}
    for name, facts in described.items():
        config = planned[name][1] if name in planned else (folder.card(name) or {}).get("config")
        method = facts.get("method")
        if method is None or not isinstance(config, Mapping):
            continue
        seed = config.get(_SEED, facts.get(_SEED))
        if type(seed) is int:
            key = json_text([method, {field: value for field, value in config.items() if field != _SEED}], sort_keys=True)
            methods[key] = method
            alike.setdefault(key, {}).setdefault(seed, name)
    found = [(methods[key], tuple(own.values()), tuple(own)) for key, own in alike.items()]
    return [SeedSetting(_common(variants), method, variants, seeds) for method, variants, seeds in found]


def _planned(folder: RunFolder) -> dict[str, tuple[str, Mapping[str, Any]]]:
    """Variant -> its method and its configuration, as `run.json` has it, be it of another version."""
    content = folder.read_json("run.json") if folder.has("run.json") else {}
    spec = content.get("spec") if isinstance(content, Mapping) else None
    listed = spec.get("methods") if isinstance(spec, Mapping) else None
    entries = [entry for entry in listed if isinstance(entry, Mapping)] if isinstance(listed, list) else []
    return {
        str(entry.get("name", entry.get("method"))): (str(entry.get("method")), entry["config"])
        for entry in entries
        if isinstance(entry.get("config"), Mapping) and entry["config"]
    }


def _common(variants: tuple[str, ...]) -> str:
    """The name without its seed where that is the same for all; else the names of all."""
    if len(variants) == 1:
        return variants[0]
    without = {_OWN_SEED.sub("", name).replace("[,", "[").removesuffix("[]") for name in variants}
    return without.pop() if len(without) == 1 else ", ".join(variants)


def planned_config(folder: RunFolder, variant: str) -> Mapping[str, Any]:
    """The configuration of a fit; empty where it is not recorded."""
    planned = _planned(folder)
    found = planned[variant][1] if variant in planned else (folder.card(variant) or {}).get("config")
    return found if isinstance(found, Mapping) else {}
