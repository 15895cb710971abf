"""One metric."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lensbench.metrics.basis import SCORES, Basis
from lensbench.metrics.scored_item import ScoredItem
from lensbench.metrics.unit import SHARE, Unit

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["OTHERWISE", "OURS", "Corpus", "Metric"]

OURS = "lensbench"
OTHERWISE = 1
"""Rank of a metric of which nothing else is said: it is its task's own number unless a metric of rank 0 is there."""


@dataclass(frozen=True)
class Corpus:
    """A metric of the whole corpus, which is no mean over items: chrF, or bits per byte.

    Attributes:
        statistics: What one item adds to the sums: always as many numbers, all finite.
        compute: Sums of the statistics, `[..., statistics]` -> the metric, `[...]`, finite. It is called with the sums of one
            item, of all items, and of every resample.
    """

    statistics: Callable[[ScoredItem], Sequence[float]]
    compute: Callable[[NDArray[Any]], NDArray[Any]]


@dataclass(frozen=True)
class Metric:
    """What is known of a metric, and how it is computed where lensbench computes it.

    A number of a run is the mean of a metric over items, or the metric of the whole corpus where it is given by its sums.

    Attributes:
        name: As records, `results.json` and `metric_list` of a task have it. One of lm-eval with a filter is `NAME:FILTER`.
        title: In plain words, for tables.
        short: In one or two words, for an axis; "" takes the name.
        higher_is_better: None where nothing tells.
        headline: Rank among the metrics that a task has in one unit from one grader. The lowest rank is the task's own number,
            which is tested and averaged; of equal ranks the first. None: never the task's own number.
        in_table: Whether the one table of a run shows it. `results.json` has all.
        replaced_by: Name of the metric that the one table shows instead where a task has both.
        mark: What tells its numbers from other numbers of the same task in a sentence; "" where nothing needs to.
        implied: Whether the title of a task is enough to name it in a figure.
        by_likeliest: Whether it depends on nothing but which choice is the likeliest.
        per_item: Its value for one scored item. None where it is of the corpus, or lm-eval, an identifier or a judge gives it.
        corpus: How it is computed over the corpus; None where it is a mean over items. It is tested in each language, but is in
            no average.
        origin: The package it comes from.
    """

    name: str
    title: str
    unit: Unit = SHARE
    higher_is_better: bool | None = True
    basis: Basis = SCORES
    short: str = ""
    headline: int | None = OTHERWISE
    in_table: bool = True
    replaced_by: str = ""
    mark: str = ""
    implied: bool = False
    by_likeliest: bool = False
    per_item: Callable[[ScoredItem], float] | None = None
    corpus: Corpus | None = None
    origin: str = OURS

    @property
    def quantity(self) -> str:
        """Label of an axis: `accuracy (%)`."""
        return (self.short or self.name) + self.unit.suffix
