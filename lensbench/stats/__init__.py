"""Statistics: arrays in, dataclass out."""

from lensbench.stats.agreement import krippendorff_alpha, within_unit_deviation
from lensbench.stats.bootstrap import Intervals, bootstrap_means, clustered_errors, paired_bootstrap
from lensbench.stats.corpus import CorpusPair, corpus_interval, corpus_pair
from lensbench.stats.intervals import Interval, wilson
from lensbench.stats.power import ALPHA, POWER, detectable_mean, detectable_share
from lensbench.stats.significance import holm, mcnemar_exact, sign_flip
from lensbench.stats.slope import clustered_slope

__all__ = [
    "ALPHA",
    "POWER",
    "CorpusPair",
    "Interval",
    "Intervals",
    "bootstrap_means",
    "clustered_errors",
    "clustered_slope",
    "corpus_interval",
    "corpus_pair",
    "detectable_mean",
    "detectable_share",
    "holm",
    "krippendorff_alpha",
    "mcnemar_exact",
    "paired_bootstrap",
    "sign_flip",
    "wilson",
    "within_unit_deviation",
]
