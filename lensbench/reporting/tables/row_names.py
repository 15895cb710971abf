"""What the rows of a table are called, and their order, by the titles that the table's file gives to variants and methods."""

from __future__ import annotations

from collections.abc import Mapping

from lensbench.reporting.run_view import RunView

__all__ = ["row_place", "row_title"]


def row_title(run: RunView, variant: str, titles: Mapping[str, str]) -> str:
    """What the row of a variant is called: `lens: LENS` among the titles calls `lens[seed=1]` LENS[seed=1]."""
    method = run.method(variant)
    if variant in titles or method not in titles or not variant.startswith(f"{method}["):
        return titles.get(variant, variant)
    return titles[method] + variant.removeprefix(method)


def row_place(run: RunView, variant: str, titles: Mapping[str, str]) -> int:
    """Where the row of a variant stands: by the order of the titles, with the variants of one method together."""
    order = list(titles)
    known = next((name for name in (variant, run.method(variant)) if name in titles), None)
    return len(order) if known is None else order.index(known)
