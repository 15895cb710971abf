"""What each method cost, as one table (Table 5 of the LENS paper, with memory beside)."""

from __future__ import annotations

from collections.abc import Mapping
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
                _duration(cost["wall_seconds"]),
                f"{cost['trainable_share']:.2%}",
                f"{cost['training_items']:,}",
                f"{cost['training_tokens']:,}",
                str(cost["steps"]),
                f"{peak / 2**20:,.0f} MiB" if peak else "unknown",
                f"{peak / floor:.2f}" if peak and floor else "",
            ]
        )
    return rows


def _duration(seconds: float) -> str:
    """`2m08s`, as the paper prints times."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m{rest:02d}s" if minutes else f"{rest}s"
