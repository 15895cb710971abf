"""Numbers that papers print, and what they say beside ours: within the interval, explained, or open."""

from lensbench.reporting.published.compare import Beside, beside, beside_average
from lensbench.reporting.published.facts import CellFacts, RunFacts
from lensbench.reporting.published.load import load_published, published_names
from lensbench.reporting.published.schema import Published

__all__ = [
    "Beside",
    "CellFacts",
    "Published",
    "RunFacts",
    "beside",
    "beside_average",
    "load_published",
    "published_names",
]
