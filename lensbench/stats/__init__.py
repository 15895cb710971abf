"""Numbers: arrays in, dataclass out."""

from lensbench.stats.agreement import krippendorff_alpha, within_unit_deviation
from lensbench.stats.intervals import Interval, clustered_mean, paired_difference, wilson
from lensbench.stats.slope import clustered_slope

__all__ = [
    "Interval",
    "clustered_mean",
    "clustered_slope",
    "krippendorff_alpha",
    "paired_difference",
    "wilson",
    "within_unit_deviation",
]
