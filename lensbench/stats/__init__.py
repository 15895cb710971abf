"""Numbers: arrays in, dataclass out."""

from lensbench.stats.intervals import Interval, paired_difference, wilson

__all__ = ["Interval", "paired_difference", "wilson"]
