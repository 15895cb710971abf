"""Syntax of a sweep in one line: `lens.start_layer=26,27,28`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lensbench.errors import UsageError
from lensbench.plan.variant_text import split_at_commas
from lensbench.yamlio import yaml_value

__all__ = ["parse_sweep"]

_EXAMPLE = "Example: ``sweep=lens.start_layer=26,27``"


def parse_sweep(texts: Iterable[str]) -> dict[str, tuple[Any, ...]]:
    """Lines as one grid: `METHOD.KEY` -> values, each read as YAML. A comma inside brackets or quotes divides nothing.

    Raises:
        UsageError: not `METHOD.KEY=VALUE,VALUE`, a key that is given twice, an empty value.
    """
    grid: dict[str, tuple[Any, ...]] = {}
    for text in texts:
        key, equals, values = text.partition("=")
        key = key.strip()
        if not equals or not key:
            raise UsageError(f"``sweep`` takes METHOD.KEY=VALUE,VALUE, found '{text}'", _EXAMPLE)
        if key in grid:
            raise UsageError(f"``sweep={text}``: '{key}' is given twice", "Write all of its values behind one '='.")
        parts = list(split_at_commas(values)) if values.strip() else []
        if not all(part.strip() for part in parts):
            raise UsageError(f"``sweep={text}``: a value between two commas is missing", "For no value, write null.")
        grid[key] = tuple(yaml_value(part, f"``sweep={text}``") for part in parts)
    return grid
