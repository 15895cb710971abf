"""Whether a variant gives nearly always the same option, so that its accuracy measures that option."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["ONE_OPTION", "one_sided", "option_name"]

_LETTERS = "ABCDEFGHIJ"

ONE_OPTION = 0.9
"""Share of the items from which on they are called one-sided."""
_FEW = 10
"""Fewer items than this say nothing about a habit."""


def option_name(place: int) -> str:
    """`B`; "option 12" beyond J."""
    return _LETTERS[place] if place < len(_LETTERS) else f"option {place + 1}"


def one_sided(picks: Sequence[int]) -> int | None:
    """The place of the option that nearly all items have; None where none is, or there are too few items to tell.

    Args:
        picks: How many items have each option.
    """
    asked = sum(picks)
    if asked < _FEW or max(picks) < ONE_OPTION * asked:
        return None
    return list(picks).index(max(picks))
