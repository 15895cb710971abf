"""What each method cost, as one table (Table 5 of the LENS paper, with memory beside)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from lensbench.records.fit_card import FitCost

__all__ = ["COST_HEADER", "cost_brief", "cost_parts", "cost_rows", "duration"]

T = TypeVar("T")

COST_HEADER = ("variant", "time", "trained", "items", "tokens", "steps", "peak memory", "x floor")


def cost_rows(costs: Mapping[str, FitCost]) -> list[list[str]]:
    """Rows for `COST_HEADER`.

    Args:
        costs: Variant -> what its fit took.
    """
    rows = []
    for variant, cost in costs.items():
        peak, floor = cost.peak_bytes, cost.floor_bytes
        rows.append(
            [
                variant,
                _known(cost.wall_seconds, duration),
                _known(cost.trainable_share, "{:.2%}".format),
                _known(cost.training_items, "{:,}".format),
                _known(cost.training_tokens, "{:,}".format),
                _known(cost.steps, str),
                f"{peak / 2**20:,.0f} MiB" if peak else "unknown",
                f"{peak / floor:.2f}" if peak and floor else "",
            ]
        )
    return rows


def cost_parts(cost: FitCost) -> list[str]:
    """The cost of one fit in a few words: time, trained share, peak memory."""
    share = cost.trainable_share
    peak = cost.peak_bytes
    return [
        f"fitted in {duration(cost.wall_seconds)}" if cost.wall_seconds is not None else "time unknown",
        "trained share unknown" if share is None else f"{share:.2%} of the weights" if share else "no weights trained",
        f"peak memory {peak / 2**30:.1f} GiB" if peak else "peak memory unknown",
    ]


def cost_brief(cost: FitCost | None) -> tuple[str, str]:
    """Time and trained share of a fit, for a narrow column; `("not recorded", "")` where there is no card."""
    if cost is None:
        return "not recorded", ""
    share = cost.trainable_share
    trained = "" if share is None else f"{share:.2%} of weights" if share else "no weights"
    return "time unknown" if cost.wall_seconds is None else duration(cost.wall_seconds), trained


def _known(value: T | None, shown: Callable[[T], str]) -> str:
    """A card of another version may lack a number; that is never a nought."""
    return "unknown" if value is None else shown(value)


def duration(seconds: float) -> str:
    """`2m08s`, as the paper prints times."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m{rest:02d}s" if minutes else f"{rest}s"
