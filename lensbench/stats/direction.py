"""Which way a metric is better, and what unit it has.

A file says the direction; where none does, lm-eval's own metrics are known, and any other is not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["direction_of", "known_direction", "told_direction", "unit_of_metric"]

_UP = frozenset(
    (
        "acc",
        "acc_norm",
        "acc_bytes",
        "acc_mutual_info",
        "exact_match",
        "em",
        "f1",
        "mcc",
        "bleu",
        "chrf",
        "rouge1",
        "rouge2",
        "rougeL",
        "rougeLsum",
        "likelihood_diff_acc",
    )
)
_DOWN = frozenset(("perplexity", "word_perplexity", "byte_perplexity", "bits_per_byte", "ter", "brier_score", "wer", "cer"))
_SHARES = frozenset(("acc", "acc_norm", "acc_bytes", "acc_mutual_info", "exact_match", "em", "f1", "likelihood_diff_acc"))
"""Metrics of lm-eval that are a share of right answers, or of what of them is right, on every item."""
_OURS = ("lf_", "rating")
"""How this package's own metrics begin: of language fidelity, and of judges."""


def known_direction(metric: str) -> bool | None:
    """Whether more is better of a metric that lm-eval or this package defines; None for any other."""
    name = metric.partition(":")[0]
    if name in _UP or name.startswith(_OURS):
        return True
    return False if name in _DOWN else None


def unit_of_metric(metric: str) -> str:
    """`share` (0 to 1, shown in percent) of metrics that are known to be one; `number` of any other, which is shown as it is.

    Its values do not tell: a toxicity or a bit per byte of 0.3 is no share of anything.

    Args:
        metric: `NAME`, or `NAME:FILTER`.
    """
    name = metric.partition(":")[0]
    return "share" if name in _SHARES or name.startswith("lf_") else "number"


def told_direction(metric: str, told: Mapping[str, Any] | None) -> bool | None:
    """What a task says of its metric; where it says nothing, what is known of the name.

    Args:
        metric: `NAME`, or `NAME:FILTER`.
        told: Name of a metric -> whether more is better, as the task's definition or lm-eval's results file has it.
    """
    for name in (metric, metric.partition(":")[0]):
        found = (told or {}).get(name)
        if isinstance(found, bool):
            return found
    return known_direction(metric)


def direction_of(cell: Mapping[str, Any]) -> bool | None:
    """Of a cell or an average of `results.json`; of one that was written before directions were, by the metric's name."""
    if "higher_is_better" in cell:
        found = cell["higher_is_better"]
        return found if isinstance(found, bool) else None
    return known_direction(str(cell.get("metric", "")))
