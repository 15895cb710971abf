"""Statistics: arrays in, dataclass out."""

from lensbench.stats.agreement import krippendorff_alpha, within_unit_deviation
from lensbench.stats.bootstrap import Intervals, bootstrap_means, clustered_errors, paired_bootstrap
from lensbench.stats.corpus import CorpusPair, corpus_interval, corpus_pair
from lensbench.stats.intervals import Interval, wilson
from lensbench.stats.mean_intervals import level_intervals, paired_intervals
from lensbench.stats.paired_share import none_differ_limit, tango
from lensbench.stats.power import ALPHA, POWER, detectable_mean, detectable_share
from lensbench.stats.significance import holm, mcnemar_exact, sign_flip
from lensbench.stats.slope import clustered_slope
from lensbench.stats.two_way import TwoWay, two_way_intervals

__all__ = [
    "ALPHA",
    "POWER",
    "CorpusPair",
    "Interval",
    "Intervals",
    "TwoWay",
    "bootstrap_means",
    "clustered_errors",
    "clustered_slope",
    "corpus_interval",
    "corpus_pair",
    "detectable_mean",
    "detectable_share",
    "holm",
    "krippendorff_alpha",
    "level_intervals",
    "mcnemar_exact",
    "none_differ_limit",
    "paired_bootstrap",
    "paired_intervals",
    "sign_flip",
    "tango",
    "two_way_intervals",
    "wilson",
    "within_unit_deviation",
]
