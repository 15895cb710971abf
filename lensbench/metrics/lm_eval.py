"""Known metrics of lm-eval. A task's definition or a results file may give another direction."""

from __future__ import annotations

from lensbench.metrics.metric import Metric
from lensbench.metrics.unit import NUMBER

__all__ = ["ACCURACY", "IN_NO_METRIC_LIST", "LM_EVAL"]

ACCURACY = "acc"

_SHARES = ("acc_norm", "acc_bytes", "acc_mutual_info", "exact_match", "em", "f1", "likelihood_diff_acc")
"""Shares of right answers, or of what is right of them, on every item."""
_UP = ("mcc", "bleu", "chrf", "rouge1", "rouge2", "rougeL", "rougeLsum")
_DOWN = ("perplexity", "word_perplexity", "byte_perplexity", "bits_per_byte", "ter", "brier_score", "wer", "cer")

LM_EVAL = {
    metric.name: metric
    for metric in (
        Metric(ACCURACY, "accuracy", short="accuracy", headline=0, implied=True, by_likeliest=True),
        *(Metric(name, name) for name in _SHARES),
        *(Metric(name, name, NUMBER) for name in _UP),
        *(Metric(name, name, NUMBER, higher_is_better=False) for name in _DOWN),
    )
}
"""Metrics by name."""

IN_NO_METRIC_LIST = frozenset(("cer", "em", "likelihood_diff_acc", "rouge1", "rouge2", "rougeL", "rougeLsum", "wer"))
"""Names that only the code of lm-eval's own tasks gives: lm-eval registers no metric of these names."""
