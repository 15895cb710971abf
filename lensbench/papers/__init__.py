"""Numbers that papers print, and what they say beside ours: within our interval or outside, and which settings differ."""

from lensbench.papers.facts import CellFacts, RunFacts
from lensbench.papers.load import load_published, published_names
from lensbench.papers.paper_comparison import PaperComparison, compare_average_with_paper, compare_with_paper
from lensbench.papers.schema import Published

__all__ = [
    "CellFacts",
    "PaperComparison",
    "Published",
    "RunFacts",
    "compare_average_with_paper",
    "compare_with_paper",
    "load_published",
    "published_names",
]
