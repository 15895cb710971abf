"""Whether one item is answered correctly, from its records."""

from __future__ import annotations

from collections.abc import Mapping

from lensbench.metrics import Metric, fidelity_name, turn_part

__all__ = ["is_on_target", "is_right"]

_WHOLE = tuple(fidelity_name(part) for part in ("question_concat", "response", turn_part(1)))
"""Metrics of a whole conversation, the first that it has."""


def is_right(value: float | None, metric: Metric) -> bool | None:
    """Whether an item has the best score there is; None where it has none, or nothing tells which end is the best."""
    if value is None or metric.higher_is_better is None:
        return None
    return value >= 1 if metric.higher_is_better else value <= 0


def is_on_target(metrics: Mapping[str, float | None]) -> bool | None:
    """Whether every answer of a conversation is in the asked language; None where none of its first two turns has a score.

    Args:
        metrics: Of one identifier.
    """
    turns = [metrics[name] for name in (fidelity_name(turn_part(turn)) for turn in (1, 2)) if metrics.get(name) is not None]
    if turns:
        return all(value is not None and value >= 1 for value in turns)
    whole = next((metrics[name] for name in _WHOLE if name in metrics), None)
    return None if whole is None else whole >= 1
