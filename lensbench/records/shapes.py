"""Format of the JSON files of a run folder, except its records.

A folder may come from a stranger, and what is not as it should be is refused.

A key that is there has to be of its kind; only those without which nothing can be said have to be there, since older versions
wrote fewer.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from lensbench.records.checks import anything as _any
from lensbench.records.checks import either as _either
from lensbench.records.checks import fault as _fault
from lensbench.records.checks import is_flag as _flag
from lensbench.records.checks import is_table as _table
from lensbench.records.checks import list_of as _list
from lensbench.records.checks import map_of as _map
from lensbench.records.checks import maybe as _maybe
from lensbench.records.checks import one_of as _one_of
from lensbench.records.checks import shape as _shape
from lensbench.records.fields import Check as _Check
from lensbench.records.fields import is_number as _number
from lensbench.records.fields import is_text as _text
from lensbench.records.fields import is_whole as _whole
from lensbench.records.fields import kind_of
from lensbench.records.pick_shape import PICK as _PICK
from lensbench.records.task_key import TaskKey

__all__ = ["wrong_shape"]


_ORIGIN = _shape(
    {},
    {
        "name": _text,
        "kind": _text,
        "warning": _maybe(_text),
        "stand_in": _maybe(_text),
        "rows": _maybe(_whole),
        "expected_rows": _maybe(_whole),
        "digest": _maybe(_text),
        "revision": _maybe(_text),
    },
)
_VARIANTS = _map(
    _shape(
        {},
        {
            "digest": _text,
            "method": _maybe(_text),
            "seed": _maybe(_whole),
            "note": _maybe(_text),
            "external": _maybe(_shape({"title": _text})),
        },
    )
)
_ASKED = _map(
    _shape(
        {},
        {
            "title": _text,
            "profile": _text,
            "version": _maybe(_either(_text, _number)),
            "protocol": _maybe(_text),
            "rows": _text,
            "substitute": _maybe(_text),
            "origin": _maybe(_ORIGIN),
            "items": _whole,
            "max_new_tokens": _maybe(_whole),
            "judged": _flag,
            "generates": _flag,
            "turns": _whole,
            "higher_is_better": _maybe(_table),
            "wording": _maybe(_text),
            "stands_for": _maybe(_text),
        },
    )
)
_HEAD = {
    "backbone": _text,
    "backbone_origin": _maybe(_table),
    "backbone_digest": _text,
    "dtype": _maybe(_text),
    "device": _maybe(_text),
    "lensbench": _text,
    "failed": _map(_text),
    "gaps": _list(_text),
}
_NUMBERS = {
    name: _maybe(_number)
    for name in ("low", "high", "delta", "delta_low", "delta_high", "p_value", "p_holm", "smallest_detectable")
}
_MADE = {
    **_NUMBERS,
    "unit": _text,
    "source": _maybe(_text),
    "signature": _text,
    "higher_is_better": _maybe(_flag),
    "verdict": _maybe(_text),
    "pairs": _maybe(_whole),
    "differing": _maybe(_whole),
}
_CELL = _shape(
    {
        "task": _text,
        "language": _text,
        "profile": _text,
        "variant": _text,
        "metric": _text,
        "value": _maybe(_number),
        "n": _whole,
    },
    {
        **_MADE,
        "failures": _whole,
        "planned": _whole,
        "states": _map(_whole),
        "picks": _list(_whole),
        "clusters": _whole,
        "tied": _whole,
        "chance": _maybe(_number),
        "repeats": _maybe(_whole),
        "leads": _list(_text),
        "test": _maybe(_text),
    },
)
_AVERAGE = _shape(
    {
        "over": _text,
        "task": _maybe(_text),
        "language": _maybe(_text),
        "profile": _text,
        "variant": _text,
        "metric": _text,
        "cells": _list(_text),
        "value": _maybe(_number),
        "n": _whole,
    },
    {
        **_MADE,
        "clusters": _whole,
        "unnamed": _whole,
        "role": _one_of("endpoint", "language", "english", "exploratory"),
        "leads": _list(_text),
        "margin": _maybe(_number),
        "at_worst": _maybe(_number),
        "retention": _maybe(_one_of("shown", "not shown", "worse")),
    },
)
_PAIR = _shape(
    {
        "profile": _text,
        "metric": _text,
        "unit": _text,
        "source": _text,
        "cells": _list(_text),
        "variant": _text,
        "other": _text,
        "delta": _number,
        "delta_low": _maybe(_number),
        "delta_high": _maybe(_number),
        "p_value": _number,
        "p_holm": _number,
        "higher_is_better": _maybe(_flag),
        "verdict": _maybe(_text),
    }
)
_SEED_GROUP = _shape(
    {
        "role": _one_of("endpoint", "language", "english"),
        "over": _text,
        "task": _maybe(_text),
        "language": _maybe(_text),
        "profile": _text,
        "metric": _text,
        "unit": _text,
        "source": _text,
        "cells": _list(_text),
        "setting": _text,
        "method": _text,
        "variants": _list(_text),
        "seeds": _list(_whole),
        "measured": _whole,
        **{name: _maybe(_number) for name in ("delta", "deviation", "least", "most", "delta_low", "delta_high")},
        "higher_is_better": _maybe(_flag),
    },
    {"why": _text},
)
_MATRIX = _shape(
    {
        "task": _text,
        "identifier": _text,
        "level": _text,
        "variant": _text,
        "turn": _whole,
        "asked": _list(_text),
        "answered": _list(_text),
        "counts": _list(_list(_whole)),
    }
)
_COST = _shape(
    {},
    {
        name: _maybe(_number)
        for name in (
            "wall_seconds",
            "gpu_seconds",
            "peak_bytes",
            "floor_bytes",
            "trainable_parameters",
            "total_parameters",
            "trainable_share",
            "training_items",
            "training_tokens",
            "steps",
            "cached_seconds",
            "generated_tokens",
            "server_tokens",
            "translated_texts",
            "translated_characters",
        )
    }
    | {"stages": _map(_map(_any)), "reused_from": _maybe(_text)},
)
_OVERLAP = _shape(
    {"task": _text, "language": _text, "method": _text, "items": _whole, "sharing": _whole},
    {"variant": _text, "examples": _list(_any)},
)
_MISSING = _shape({"file": _text, "why": _text, "place": _text, "has": _whole, "wanted": _whole})
_START = _shape(
    {},
    {
        "packages": _map(_text),
        "git": _maybe(_table),
        "accelerators": _maybe(_list(_text)),
        "device": _maybe(_text),
        "cpu": _maybe(_text),
        "system": _maybe(_text),
        "time": _maybe(_either(_text, _number)),
        "ranks": _maybe(_whole),
        "environment": _maybe(_text),
        "reused": _maybe(_map(_number)),
    },
)
_FILES: dict[str, tuple[Mapping[str, _Check], Mapping[str, _Check]]] = {
    "variants.json": (
        {"variants": _VARIANTS, "tasks": _ASKED, "backbone": _text, "backbone_digest": _text, "lensbench": _text},
        _HEAD,
    ),
    "results.json": (
        {"backbone": _text, "variants": _VARIANTS, "tasks": _ASKED, "cells": _list(_CELL)},
        {
            **_HEAD,
            "averages": _list(_AVERAGE),
            "pairs": _list(_PAIR),
            "seed_groups": _list(_SEED_GROUP),
            "margins": _map(_number),
            "pick": _maybe(_PICK),
            "matrices": _list(_MATRIX),
            "costs": _map(_COST),
            "overlap": _list(_OVERLAP),
            "unnamed": _map(_whole),
            "missing": _list(_MISSING),
        },
    ),
    "provenance.json": ({"starts": _list(_START)}, {}),
    "card.json": (
        {},
        {
            "cost": _COST,
            "reused_from": _maybe(_text),
            "config": _table,
            "first_changed_layer": _maybe(_whole),
            "note": _maybe(_text),
            "data": _maybe(_list(_any)),
            "languages": _maybe(_list(_text)),
        },
    ),
}
_LISTS = {"given_cells.json": _CELL, "overlap.json": _OVERLAP}


def wrong_shape(name: str, content: Any) -> str | None:
    """Why a JSON file of a run folder is not in lensbench's format; None if it is."""
    name = PurePosixPath(name).name
    if name in _LISTS:
        if not isinstance(content, list):
            return f"it is {kind_of(content)}, a list was expected"
        wrong = next((place for place, entry in enumerate(content, start=1) if not _LISTS[name](entry)), None)
        return None if wrong is None else f"entry {wrong} does not belong there"
    if name not in _FILES:
        return None
    found = _fault(content, *_FILES[name])
    if found is None and name == "results.json":
        return _strangers(content)
    if found is None and name == "variants.json":
        return _unsaid(content)
    return found


def _unsaid(content: Mapping[str, Any]) -> str | None:
    """Missing fields without which no numbers can be made."""
    for key, about in content["tasks"].items():
        try:
            TaskKey.parse(key)
        except ValueError:
            return f"the task {key!r} has no language"
        lacking = [name for name in ("title", "profile", "version", "protocol", "rows") if name not in about]
        if lacking:
            return f"the task {key!r} has no {', '.join(lacking)}"
    odd = next((name for name, about in content["variants"].items() if "digest" not in about), None)
    return None if odd is None else f"the variant {odd!r} has no digest"


def _strangers(content: Mapping[str, Any]) -> str | None:
    """Cells and averages of variants and tasks that the same file does not have."""
    for entry in content["cells"]:
        place = str(TaskKey(entry["task"], entry["language"]))
        if place not in content["tasks"]:
            return f"a cell is of {place}, which is not among its tasks"
        if entry["variant"] not in content["variants"]:
            return f"a cell is of {entry['variant']!r}, which is not among its variants"
    for entry in content.get("averages", ()):
        if not entry["cells"] or (entry["task"] is not None and entry["cells"][0] not in content["tasks"]):
            return "an average is over something that is not among its tasks"
        if entry["variant"] not in content["variants"]:
            return f"an average is of {entry['variant']!r}, which is not among its variants"
    return None
