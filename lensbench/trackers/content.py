"""What a tracker gets of a run: options as texts, endpoints and costs as numbers."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from lensbench.jsonio import JsonObject
from lensbench.safenames import folder_name

__all__ = ["numbers_of", "options_of", "plain_name"]

_ROLES = ("endpoint", "english")
_OF_AVERAGES = ("value", "low", "high", "delta", "delta_low", "delta_high", "p_holm")
_OF_COSTS = ("wall_seconds", "peak_bytes", "training_items", "training_tokens", "trainable_share", "steps")
_SECRET = re.compile(r"api_?key|token$|secret|password|credential", re.IGNORECASE)


def options_of(spec: JsonObject) -> dict[str, str]:
    """Settings of a run. The spec of a run holds no keys; a setting that is called like one is left out all the same."""
    found: dict[str, str] = {}
    for key, value in spec.items():
        if key in ("methods", "variants"):
            for one in value:
                name = plain_name(str(one.get("name") or one["method"]))
                found |= {f"{name}/{inner}": shown for inner, shown in _flat(one.get("config") or {})}
        elif key == "tasks":
            found[key] = ", ".join(dict.fromkeys(f"{one['task']}@{one['profile']}" for one in value))
        else:
            found |= dict(_flat({key: value}))
    return {key: value for key, value in found.items() if not _SECRET.search(key)}


def numbers_of(results: JsonObject) -> dict[str, float]:
    """`VARIANT/OVER/METRIC/FIELD` -> number, of endpoints and of English, with their intervals; and `VARIANT/cost/FIELD`."""
    found: dict[str, float] = {}
    for average in results.get("averages") or ():
        if average.get("role") in _ROLES:
            head = "/".join(plain_name(str(average.get(part))) for part in ("variant", "over", "metric"))
            found |= _numbers(head, average, _OF_AVERAGES)
    for variant, cost in (results.get("costs") or {}).items():
        found |= _numbers(f"{plain_name(variant)}/cost", cost, _OF_COSTS)
    return found


def plain_name(name: str) -> str:
    """A name of letters, digits and `_-.`, which every tracker takes."""
    return re.sub(r"[^\w.-]+", "-", folder_name(name), flags=re.ASCII).strip("-") or "unnamed"


def _numbers(head: str, values: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, float]:
    """A number that is not there is left out: no tracker has a way to store that."""
    return {
        f"{head}/{name}": float(values[name])
        for name in names
        if isinstance(values.get(name), int | float) and math.isfinite(values[name])
    }


def _flat(values: Mapping[str, Any], head: str = "") -> Iterator[tuple[str, str]]:
    for key, value in values.items():
        name = f"{head}{plain_name(str(key))}"
        if isinstance(value, Mapping):
            yield from _flat(value, f"{name}.")
        else:
            yield name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
