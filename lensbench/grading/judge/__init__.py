"""Grading answers with a language model as judge."""

from lensbench.grading.judge.registry import Judge, judges, load_judge
from lensbench.grading.judge.verdict import Rating, read_rating

__all__ = ["Judge", "Rating", "judges", "load_judge", "read_rating"]
