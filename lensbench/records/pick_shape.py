"""Format of what `results.json` says of the choice of a setting."""

from __future__ import annotations

from lensbench.records.checks import is_flag, is_table, list_of, maybe, one_of, shape
from lensbench.records.fields import is_number, is_text, is_whole

__all__ = ["PICK"]

_SIDE = shape(
    {"measured": is_whole, "n": is_whole, "clusters": is_whole},
    {name: maybe(is_number) for name in ("value", "low", "high", "delta", "delta_low", "delta_high")},
)
_ENGLISH = shape(
    {"measured": is_whole},
    {
        **{name: maybe(is_number) for name in ("delta", "delta_low", "delta_high", "at_worst")},
        "retention": maybe(one_of("shown", "not shown", "worse")),
    },
)
_CANDIDATE = shape(
    {
        "setting": is_text,
        "method": is_text,
        "variants": list_of(is_text),
        "seeds": list_of(is_whole),
        "differs": is_table,
        "development": _SIDE,
        "test": _SIDE,
        "english_development": _ENGLISH,
        "english_test": _ENGLISH,
        "admission": is_text,
        "chosen": is_flag,
    }
)
_METHOD_PICK = shape(
    {"method": is_text, "state": is_text, "tried": is_whole},
    {
        "setting": maybe(is_text),
        "variants": list_of(is_text),
        "tied": list_of(is_text),
        **{name: maybe(is_number) for name in ("optimism", "optimism_low", "optimism_high")},
    },
)
PICK = shape(
    {
        "rule": is_text,
        "share": is_number,
        "version": is_whole,
        "before_results": is_flag,
        "endpoint": is_text,
        "counts": list_of(
            shape({"task": is_text, "language": is_text, "development": is_whole, "test": is_whole}, {"split": maybe(is_text)})
        ),
        "methods": list_of(_METHOD_PICK),
        "candidates": list_of(_CANDIDATE),
    },
    {
        **{name: maybe(is_text) for name in ("profile", "metric", "unit", "source")},
        "higher_is_better": maybe(is_flag),
        "cells": list_of(is_text),
        "english_cells": list_of(is_text),
        "margin": maybe(is_number),
        "left_out": list_of(is_text),
    },
)
