"""Numbers that papers print, and what they say beside ours: within the interval, explained, or open."""

from lensbench.papers.facts import CellFacts, RunFacts
from lensbench.papers.load import load_published, published_names
from lensbench.papers.paper_comparison import Beside, beside, beside_average
from lensbench.papers.schema import Published

__all__ = ["Beside", "CellFacts", "Published", "RunFacts", "beside", "beside_average", "load_published", "published_names"]
