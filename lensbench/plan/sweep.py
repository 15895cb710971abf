"""Expansion of a sweep: settings to try and seeds become variants."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from math import prod
from typing import Any

from lensbench.errors import UsageError, nearest, unknown_name
from lensbench.methods import config_model, get_method, method_names
from lensbench.plan.request import VariantRequest

__all__ = ["MOST_UNASKED", "Grid", "TooManyVariants", "expand_variants", "has_seed"]

MOST_UNASKED = 64
"""A sweep of more fitted variants than this must be confirmed."""

Grid = Mapping[str, Sequence[Any]]
"""`METHOD.KEY` -> values to try. The keys of one method are combined, each value with each."""

_EXAMPLE = "Example: ``sweep=lens.start_layer=26,27``"


class TooManyVariants(UsageError):
    """A sweep has more variants than are fitted without a confirmation.

    Attributes:
        count: Fitted variants of the run.
    """

    def __init__(self, count: int) -> None:
        super().__init__(
            f"the sweep makes {count:,} variants, and each is fitted and evaluated; more than {MOST_UNASKED} must be confirmed",
            "Give ``yes=True`` to confirm, or try fewer values.",
        )
        self.count = count


def expand_variants(
    plain: Sequence[VariantRequest],
    wanted: Sequence[VariantRequest],
    sweep: Sequence[Grid],
    seeds: Sequence[int] | None,
    *,
    confirmed: bool = False,
) -> list[VariantRequest]:
    """The variants of a run in the order in which they are fitted.

    A method that is swept has the variants of its grids in place of the one with its own settings, also if `plain` does not name
    it. Every variant is then fitted once per seed; a method without a seed is fitted once.

    Args:
        plain: The request's methods as they are, one each.
        wanted: Its further variants. They are not swept.
        sweep: One grid or several; several are tried one after the other.
        seeds: None: the seed that each variant has.
        confirmed: Whether more than 64 variants are wanted.

    Raises:
        UsageError: a grid without values or with a value twice, an unknown method or setting (with the nearest), seeds that are
            given twice or contradict a variant's own.
        TooManyVariants: more than 64 variants that are not confirmed.
    """
    swept = _by_method(sweep)
    methods = dict.fromkeys([*(get_method(str(v.method)).name for v in plain), *swept])
    count = sum(sum(map(_size, swept[name])) if name in swept else 1 for name in methods) + len(wanted)
    if seeds is not None:
        _check_seeds(seeds, sweep, wanted, [*methods, *(str(v.method) for v in wanted)])
        count *= len(seeds)
    if count > MOST_UNASKED and (sweep or seeds is not None) and not confirmed:
        raise TooManyVariants(count)
    as_they_are = {get_method(str(v.method)).name: v for v in plain}
    found = [v for name in methods for v in (_points(name, swept[name]) if name in swept else [as_they_are[name]])]
    found += wanted
    return found if seeds is None else [one for variant in found for one in _once_per_seed(variant, seeds)]


def has_seed(method: str) -> bool:
    """Whether a fit of this method depends on a seed."""
    return "seed" in config_model(method)[0].model_fields


def _by_method(sweep: Sequence[Grid]) -> dict[str, list[dict[str, Sequence[Any]]]]:
    """Method -> its part of every grid that names it; keys without the method."""
    found: dict[str, list[dict[str, Sequence[Any]]]] = {}
    for grid in sweep:
        if not grid:
            raise UsageError("``sweep`` names no setting", _EXAMPLE)
        parts: dict[str, dict[str, Sequence[Any]]] = {}
        for place, values in grid.items():
            method, key = _setting(place)
            _check_values(place, values)
            parts.setdefault(method, {})[key] = values
        for method, own in parts.items():
            found.setdefault(method, []).append(own)
    return found


def _setting(place: str) -> tuple[str, str]:
    """
    Raises:
        UsageError: not `METHOD.KEY`, an unknown method, or a setting that it does not have.
    """
    method, dot, key = place.partition(".")
    if not dot or not key:
        raise UsageError(f"``sweep={place}`` names no setting of a method", _EXAMPLE)
    if method not in method_names():
        error = unknown_name("method", method, method_names())
        raise UsageError(f"``sweep={place}``: {error.message}", error.hint)
    first = key.partition(".")[0]
    known = config_model(method)[0].model_fields
    if first not in known:
        close = nearest(first, known)
        guess = f"Did you mean ``sweep={method}.{close}``? " if close else ""
        raise UsageError(
            f"``sweep={place}``: method '{method}' has no setting '{first}'", f"{guess}Known: {', '.join(sorted(known))}."
        )
    return method, key


def _check_values(place: str, values: Sequence[Any]) -> None:
    if not values:
        raise UsageError(f"``sweep={place}`` has no values, so the grid has no variants", _EXAMPLE)
    for at, value in enumerate(values):
        if any(value == other and isinstance(value, bool) == isinstance(other, bool) for other in values[:at]):
            raise UsageError(
                f"``sweep={place}``: the value {value} is given twice, which makes two variants that are the same",
                "Leave one of them out.",
            )


def _check_seeds(seeds: Sequence[int], sweep: Sequence[Grid], wanted: Sequence[VariantRequest], methods: Sequence[str]) -> None:
    if not seeds:
        raise UsageError("``seeds`` names no seed", "Example: ``seeds=0,1,2``")
    for seed in seeds:
        if list(seeds).count(seed) > 1:
            raise UsageError(f"``seeds``: the seed {seed} is given twice", "Each refits every variant: name it once.")
    if not methods:
        raise UsageError("``seeds`` refits variants, but no method is given", "Example: ``methods=lens``")
    if not any(map(has_seed, methods)):
        raise UsageError(f"``seeds``: {', '.join(dict.fromkeys(methods))} has no seed", "Leave ``seeds`` out.")
    for grid in sweep:
        twice = [place for place in grid if place.partition(".")[2] == "seed"]
        if twice:
            raise UsageError(f"``sweep={twice[0]}`` and ``seeds`` both set the seed", "Give one of them.")
    for variant in wanted:
        if "seed" in variant.settings:
            raise UsageError(
                f"``variants={variant.shown}`` and ``seeds`` both set the seed", "Leave the seed out of the variant's settings."
            )


def _size(grid: Grid) -> int:
    return prod(map(len, grid.values()))


def _points(method: str, grids: Sequence[Grid]) -> Iterator[VariantRequest]:
    for grid in grids:
        for values in product(*grid.values()):
            yield VariantRequest(method=method, settings=dict(zip(grid, values, strict=True)), swept=tuple(grid))


def _once_per_seed(variant: VariantRequest, seeds: Sequence[int]) -> Iterator[VariantRequest]:
    if not has_seed(str(variant.method)):
        yield variant
        return
    # The method's own name is for the variant with its own settings.
    name = None if variant.name == variant.method else variant.name
    for seed in seeds:
        settings = {**variant.settings, "seed": seed}
        yield replace(variant, name=name, settings=settings, swept=(*variant.swept, "seed"), text="")
