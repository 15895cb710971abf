"""The name of a metric of lm-eval that a filter of answers was applied to first."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["NO_FILTER", "MetricName"]

NO_FILTER = "none"
"""lm-eval's name for a filter that does nothing."""


class MetricName(NamedTuple):
    """Printed as `METRIC`, or as `METRIC:FILTER` where a filter does something; lm-eval's files write `METRIC,FILTER`."""

    metric: str
    filter: str = NO_FILTER

    def __str__(self) -> str:
        return self.metric if self.filter == NO_FILTER else f"{self.metric}:{self.filter}"

    @classmethod
    def parse(cls, text: str) -> MetricName:
        metric, _, kept = text.partition(":")
        return cls(metric, kept or NO_FILTER)

    @classmethod
    def of_lm_eval(cls, text: str) -> MetricName:
        """The name as lm-eval's files write it."""
        metric, _, kept = text.partition(",")
        return cls(metric, kept)
