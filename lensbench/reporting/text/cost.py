"""What each method cost, as one table (Table 5 of the LENS paper, with memory beside)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["COST_HEADER", "cost_rows"]

COST_HEADER = ("variant", "time", "trained", "items", "tokens", "steps", "peak memory", "x floor")


def cost_rows(costs: Mapping[str, Mapping[str, Any]]) -> list[list[str]]:
    """Rows for `COST_HEADER`.

    Args:
        costs: Variant -> the cost on its card (lensbench/methods/base.py).
    """
    rows = []
    for variant, cost in costs.items():
        peak, floor = cost.get("peak_bytes"), cost.get("floor_bytes")
        rows.append(
            [
                variant,
                _known(cost.get("wall_seconds"), _duration),
                _known(cost.get("trainable_share"), "{:.2%}".format),
                _known(cost.get("training_items"), "{:,}".format),
                _known(cost.get("training_tokens"), "{:,}".format),
                _known(cost.get("steps"), str),
                f"{peak / 2**20:,.0f} MiB" if peak else "unknown",
                f"{peak / floor:.2f}" if peak and floor else "",
            ]
        )
    return rows


def _known(value: Any, shown: Callable[[Any], str]) -> str:
    """A card of another version may lack a number; that is never a nought."""
    return "unknown" if value is None else shown(value)


def _duration(seconds: float) -> str:
    """`2m08s`, as the paper prints times."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m{rest:02d}s" if minutes else f"{rest}s"
