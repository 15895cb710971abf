"""What the files of a run folder look like: a folder may come from a stranger, and what is not as it should be is refused.

A key that is there has to be of its kind; only those without which nothing can be said have to be there, since older versions
wrote fewer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["unfit", "wrong_shape"]

_Check = Callable[[Any], bool]
_EXACT = 2**53
"""Whole numbers above this are none that a run counts, and floats no longer hold them."""


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _whole(value: Any) -> bool:
    return type(value) is int and 0 <= value < _EXACT


def _number(value: Any) -> bool:
    return (type(value) is float and math.isfinite(value)) or (type(value) is int and abs(value) < _EXACT)


def _flag(value: Any) -> bool:
    return type(value) is bool


def _table(value: Any) -> bool:
    return isinstance(value, dict)


def _any(value: Any) -> bool:
    return True


def _maybe(check: _Check) -> _Check:
    return lambda value: value is None or check(value)


def _either(*checks: _Check) -> _Check:
    return lambda value: any(check(value) for check in checks)


def _list(check: _Check) -> _Check:
    return lambda value: isinstance(value, list) and all(map(check, value))


def _map(check: _Check) -> _Check:
    return lambda value: isinstance(value, dict) and all(map(check, value.values()))


def _shape(needed: Mapping[str, _Check], further: Mapping[str, _Check] | None = None) -> _Check:
    return lambda value: _fault(value, needed, further or {}) is None


def _fault(value: Any, needed: Mapping[str, _Check], further: Mapping[str, _Check]) -> str | None:
    """What is wrong with an object, in words."""
    if not isinstance(value, dict):
        return f"it is {_kind(value)}, an object was expected"
    for name, check in needed.items():
        if name not in value:
            return f"it has no '{name}'"
        if not check(value[name]):
            return f"its '{name}' is {_kind(value[name])}, which does not belong there"
    for name, check in further.items():
        if name in value and not check(value[name]):
            return f"its '{name}' is {_kind(value[name])}, which does not belong there"
    return None


def _kind(value: Any) -> str:
    if value is None or isinstance(value, bool | int | float):
        text = repr(value)
        return text if len(text) <= 40 else f"{text[:40]}..."
    return {"str": "a text", "list": "a list", "dict": "an object"}.get(type(value).__name__, type(value).__name__)


def _pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(_text, value))


_OF = {"key": _text, "task": _text, "language": _text, "profile": _text}
_BY = {**_OF, "item": _text, "variant": _text, "state": _text}
_TURN = _shape(
    {
        "answer": _text,
        "turn": _whole,
        "label": _maybe(_text),
        "cell": _text,
        "probability": _maybe(_number),
        "lines": _list(_text),
    }
)
_SHARES = ("acc", "acc_norm")
"""Metrics of a closed task that are shares of 1."""
_GRADED = {**_BY, "answer": _text, "judge": _text, "repeat": _whole, "turn": _whole}
_RECORDS: dict[str, tuple[Mapping[str, _Check], Mapping[str, _Check]]] = {
    "items": (
        _OF,
        {
            "doc_id": _whole,
            "row": _text,
            "doc": _table,
            "requests": _list(_pair),
            "turns": _list(_text),
            "source": _maybe(_either(_text, _number)),
        },
    ),
    "score": (
        {**_BY, "metrics": _map(_maybe(_number)), "loglikelihoods": _list(_maybe(_number))},
        {
            "greedy": _list(_flag),
            "tokens": _list(_whole),
            "unconditional": _list(_any),
            "tied": _flag,
            "texts": _map(_text),
            "states": _map(_text),
            "statistics": _map(_list(_number)),
        },
    ),
    "answers": (
        {**_BY, "turn": _whole, "text": _text},
        {"tokens": _maybe(_whole), "finish": _maybe(_text), "seconds": _maybe(_number), "temperature": _maybe(_number)},
    ),
    "identified": ({**_BY, "identifier": _text, "metrics": _map(_maybe(_number))}, {"turns": _list(_TURN)}),
    "verdicts": (_GRADED, {"rating": _maybe(_number), "category": _maybe(_text), "reply": _maybe(_table)}),
    "ungraded": (_GRADED, {"rating": _maybe(_number), "category": _maybe(_text), "reason": _maybe(_text)}),
}


def unfit(stage: str, record: Any) -> str | None:
    """Why a line is no record of its file; None where it is one."""
    needed, further = _RECORDS.get(stage, ({"key": _text}, {}))
    found = _fault(record, needed, further)
    if found is None and stage == "score":
        odd = next((name for name in _SHARES if not 0 <= (record["metrics"].get(name) or 0) <= 1), None)
        if odd is not None:
            return f"its '{odd}' is {record['metrics'][odd]!r}, which is no share of 1"
    if found is None and record.get("state") == "ok":
        if stage == "score" and record["loglikelihoods"] and None in record["loglikelihoods"]:
            return "its state is ok, and a log-likelihood is missing"
        if stage in ("verdicts", "ungraded") and record.get("rating") is None:
            return "its state is ok, and it has no rating"
    if found is None and stage == "answers" and record["turn"] < 1:
        return "its turn is 0, the first is 1"
    return found


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
    {**_MADE, "clusters": _whole, "unnamed": _whole},
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
    | {"stages": _map(_map(_any))},
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
    """Why a JSON file of a run folder is not what lensbench writes under this name; None where it is."""
    name = name.rpartition("/")[2]
    if name in _LISTS:
        if not isinstance(content, list):
            return f"it is {_kind(content)}, a list was expected"
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
    """What numbers cannot be made without."""
    for key, about in content["tasks"].items():
        if "/" not in key:
            return f"the task {key!r} has no language"
        lacking = [name for name in ("title", "profile", "version", "protocol", "rows") if name not in about]
        if lacking:
            return f"the task {key!r} has no {', '.join(lacking)}"
    odd = next((name for name, about in content["variants"].items() if "digest" not in about), None)
    return None if odd is None else f"the variant {odd!r} has no digest"


def _strangers(content: Mapping[str, Any]) -> str | None:
    """Cells and averages of variants and tasks that the same file does not have."""
    for entry in content["cells"]:
        if f"{entry['task']}/{entry['language']}" not in content["tasks"]:
            return f"a cell is of {entry['task']}/{entry['language']}, which is not among its tasks"
        if entry["variant"] not in content["variants"]:
            return f"a cell is of {entry['variant']!r}, which is not among its variants"
    for entry in content.get("averages", ()):
        if not entry["cells"] or (entry["task"] is not None and entry["cells"][0] not in content["tasks"]):
            return "an average is over something that is not among its tasks"
        if entry["variant"] not in content["variants"]:
            return f"an average is of {entry['variant']!r}, which is not among its variants"
    return None
