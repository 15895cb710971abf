"""Which variants of a run have one method and the same settings, and differ in the seed of their fit only."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lensbench.jsonio import json_text
from lensbench.records import RunFolder

__all__ = ["SeedSetting", "seed_settings"]

_SEED = "seed"
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
    described = folder.read_json("variants.json")["variants"]
    planned = _planned(folder)
    alike: dict[str, dict[int, str]] = {}
    methods: dict[str, str] = {}
    for name, facts in described.items():
        config = planned.get(name) or (folder.card(name) or {}).get("config")
        method = facts.get("method")
        if method is None or not isinstance(config, Mapping):
            continue
        seed = config.get(_SEED, facts.get(_SEED))
        if type(seed) is int:
            key = json_text([method, {field: value for field, value in config.items() if field != _SEED}], sort_keys=True)
            methods[key] = method
            alike.setdefault(key, {}).setdefault(seed, name)
    return [
        SeedSetting(_common(tuple(own.values())), methods[key], tuple(own.values()), tuple(own))
        for key, own in alike.items()
        if len(own) > 1
    ]


def _planned(folder: RunFolder) -> dict[str, Mapping[str, Any]]:
    """Variant -> its configuration, as `run.json` has it, be it of another version."""
    content = folder.read_json("run.json") if folder.has("run.json") else {}
    spec = content.get("spec") if isinstance(content, Mapping) else None
    listed = spec.get("methods") if isinstance(spec, Mapping) else None
    entries = [entry for entry in listed if isinstance(entry, Mapping)] if isinstance(listed, list) else []
    return {
        str(entry.get("name", entry.get("method"))): entry["config"]
        for entry in entries
        if isinstance(entry.get("config"), Mapping) and entry["config"]
    }


def _common(variants: tuple[str, ...]) -> str:
    """The name without its seed where that is the same for all; else the names of all."""
    without = {_OWN_SEED.sub("", name).replace("[,", "[").removesuffix("[]") for name in variants}
    return without.pop() if len(without) == 1 else ", ".join(variants)
