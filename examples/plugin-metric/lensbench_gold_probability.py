"""The probability that a model gives to the right choice, if it had to take one of the choices.

Accuracy is 0 or 1: it does not change when the right choice comes closer to being the likeliest. This metric does.
"""

import math

from lensbench.metrics import Metric, ScoredItem


def gold_probability(item: ScoredItem) -> float:
    """The softmax over the choices' log-likelihoods, at the right choice."""
    if item.gold is None:
        raise ValueError("the task does not have exactly one right choice")
    largest = max(item.loglikelihoods)
    weights = [math.exp(loglikelihood - largest) for loglikelihood in item.loglikelihoods]
    return weights[item.gold] / sum(weights)


METRIC = Metric(
    name="gold_probability",
    title="probability of the right choice",
    short="P(right)",
    higher_is_better=True,
    per_item=gold_probability,
)
