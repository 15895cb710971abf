"""The metrics: for each its name, title, unit, direction, and how it is computed from one item. Packages may add their own.

Imports only the rooms below (plugins, errors, safe names). Every other room asks a `Metric` for its unit, digits and title, and
compares no name of a metric or unit itself.
"""

from lensbench.metrics.basis import LANGUAGES, RATINGS, SCORES, Basis
from lensbench.metrics.fidelity import LENIENT, READINGS, STRICT, WITHOUT_CODE, fidelity_name, split_fidelity_name, turn_part
from lensbench.metrics.lm_eval import ACCURACY, IN_NO_METRIC_LIST, LM_EVAL
from lensbench.metrics.metric import Corpus, Metric
from lensbench.metrics.metric_name import MetricName
from lensbench.metrics.rating import RATING, rating_of_category, rating_of_turn
from lensbench.metrics.registry import (
    GROUP,
    Measured,
    get_metric,
    installed_metric,
    metric_as,
    metric_in,
    metric_of,
    metrics,
    metrics_of_packages,
    told_direction,
)
from lensbench.metrics.scored_item import ScoredItem, gold_choice, likeliest
from lensbench.metrics.unit import NUMBER, POINTS, SHARE, UNITS, Unit

__all__ = [
    "ACCURACY",
    "GROUP",
    "IN_NO_METRIC_LIST",
    "LANGUAGES",
    "LENIENT",
    "LM_EVAL",
    "NUMBER",
    "POINTS",
    "RATING",
    "RATINGS",
    "READINGS",
    "SCORES",
    "SHARE",
    "STRICT",
    "UNITS",
    "WITHOUT_CODE",
    "Basis",
    "Corpus",
    "Measured",
    "Metric",
    "MetricName",
    "ScoredItem",
    "Unit",
    "fidelity_name",
    "get_metric",
    "gold_choice",
    "installed_metric",
    "likeliest",
    "metric_as",
    "metric_in",
    "metric_of",
    "metrics",
    "metrics_of_packages",
    "rating_of_category",
    "rating_of_turn",
    "split_fidelity_name",
    "told_direction",
    "turn_part",
]
