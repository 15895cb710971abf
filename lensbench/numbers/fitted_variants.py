"""The fitted variants of a run folder with their settings, those that could not be fitted included."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lensbench.records import RunFolder

__all__ = ["FittedVariant", "fitted_variants"]

_SEED = "seed"


@dataclass(frozen=True)
class FittedVariant:
    """One variant that a method makes.

    Attributes:
        config: Settings of the fit without its seed; None where they are not recorded.
        failed: Why it could not be fitted; None where it was.
        place: Where it stands in the run.
    """

    name: str
    method: str
    config: Mapping[str, Any] | None
    seed: int | None
    failed: str | None = None
    place: int = 0


def fitted_variants(folder: RunFolder) -> list[FittedVariant]:
    """The variants of a run that methods make, in the order of the run; those that failed come last."""
    about = folder.read_json("variants.json") if folder.has("variants.json") else {}
    planned = _planned(folder)
    places = {name: place for place, name in enumerate({**planned, **(about.get("variants") or {})})}
    found = []
    for name, facts in (about.get("variants") or {}).items():
        if facts.get("method") is not None:
            config = planned.get(name, {}).get("config") or (folder.card(name) or {}).get("config")
            found.append(_variant(name, facts["method"], config, facts.get(_SEED), None, places[name]))
    known = {one.name for one in found}
    for name, why in (about.get("failed") or {}).items():
        entry = planned.get(name)
        if entry is not None and name not in known:
            found.append(_variant(name, str(entry.get("method", name)), entry.get("config"), None, str(why), places[name]))
    return found


def _variant(name: str, method: str, config: Any, seed: Any, failed: str | None, place: int) -> FittedVariant:
    if not isinstance(config, Mapping):
        return FittedVariant(name, method, None, seed if type(seed) is int else None, failed, place)
    own = config.get(_SEED, seed)
    settings = {key: value for key, value in config.items() if key != _SEED}
    return FittedVariant(name, method, settings, own if type(own) is int else None, failed, place)


def _planned(folder: RunFolder) -> dict[str, Mapping[str, Any]]:
    """Variant -> its entry in `run.json`, be it of another version."""
    content = folder.read_json("run.json") if folder.has("run.json") else {}
    spec = content.get("spec") if isinstance(content, Mapping) else None
    listed = spec.get("methods") if isinstance(spec, Mapping) else None
    entries = [entry for entry in listed if isinstance(entry, Mapping)] if isinstance(listed, list) else []
    return {str(entry.get("name", entry.get("method"))): entry for entry in entries}
