"""Numbers: arrays in, dataclass out."""

from lensbench.stats.intervals import Interval, clustered_mean, paired_difference, wilson

__all__ = ["Interval", "clustered_mean", "paired_difference", "wilson"]
