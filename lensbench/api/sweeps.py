"""Conversion of the arguments `sweep` and `seeds`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lensbench.api.arguments import a_text, a_whole_number
from lensbench.errors import UsageError

__all__ = ["MOST_SEED", "as_grids", "as_seeds"]

MOST_SEED = 2**32 - 1
_EXAMPLE = "Example: ``sweep=lens.start_layer=26,27``"


def as_grids(given: Any) -> tuple[Mapping[str, tuple[Any, ...]], ...]:
    """Grids of settings, each `METHOD.KEY` -> values.

    Args:
        given: One such mapping; a list of them; a list of texts `METHOD.KEY=VALUE,VALUE`, which make one grid; or None.

    Raises:
        UsageError: something else, or values that are no list.
    """
    from lensbench.plan.sweep_text import parse_sweep

    if given is None:
        return ()
    if isinstance(given, Mapping):
        return (_grid(given),)
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise UsageError(f"``sweep`` must be a mapping of settings to lists of values, found {given!r}", _EXAMPLE)
    parts = list(given)
    if all(isinstance(part, str) for part in parts):
        return (parse_sweep(parts),) if parts else ()
    if not all(isinstance(part, Mapping) for part in parts):
        raise UsageError("``sweep`` must hold mappings of settings to lists of values, or only texts", _EXAMPLE)
    return tuple(map(_grid, parts))


def as_seeds(given: Any) -> tuple[int, ...] | None:
    """
    Raises:
        UsageError: no list of whole numbers from 0 to 2^32 - 1.
    """
    if given is None:
        return None
    if isinstance(given, str | Mapping) or not isinstance(given, Iterable):
        raise UsageError(f"``seeds`` must be a list of whole numbers, found {given!r}", "Example: ``seeds=0,1,2``")
    return tuple(a_whole_number("seeds", seed, 0, MOST_SEED) for seed in given)


def _grid(given: Mapping[Any, Any]) -> dict[str, tuple[Any, ...]]:
    found = {}
    for key, values in given.items():
        if isinstance(values, str | Mapping) or not isinstance(values, Iterable):
            raise UsageError(f"``sweep={a_text('sweep', key)}`` must have a list of values, found {values!r}", _EXAMPLE)
        found[a_text("sweep", key)] = tuple(values)
    return found
