"""A metric of an installed package, checked before it is used."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import EntryPoint
from typing import Any

from lensbench.metrics.basis import SCORES
from lensbench.metrics.metric import Corpus, Metric
from lensbench.metrics.unit import Unit
from lensbench.plugins import BrokenPackage, BrokenPlugin, origin_of
from lensbench.safenames import is_safe_name

__all__ = ["metric_from"]


def metric_from(name: str, entry: EntryPoint, load: Callable[[EntryPoint], Any]) -> Metric | BrokenPlugin:
    """The metric of an entry point, or why it cannot be used."""
    origin = origin_of(entry)
    try:
        found = load(entry)
    except BrokenPackage as error:
        return BrokenPlugin(name, origin, str(error))
    reason = _fault(name, found)
    if reason is not None:
        return BrokenPlugin(name, origin, f"{entry.value} {reason}")
    return replace(found, origin=origin)


def _fault(name: str, found: Any) -> str | None:
    if not isinstance(found, Metric) or found.name != name:
        return f"is no Metric named '{name}'"
    if not is_safe_name(name):
        return "has a name that cannot be that of a file"
    texts = ("title", "short", "replaced_by", "mark")
    strange = [field for field in texts if not isinstance(getattr(found, field), str)]
    if strange:
        return f"has no text in {', '.join(strange)}"
    if not isinstance(found.unit, Unit):
        return "has no Unit in unit"
    if found.higher_is_better not in (True, False, None):
        return "says neither True, False nor None in higher_is_better"
    if found.headline is not None and (isinstance(found.headline, bool) or not isinstance(found.headline, int)):
        return "has neither a whole number nor None in headline"
    if found.basis is not SCORES:
        return "is not computed from scores; packages bring no metrics of identifiers and judges"
    if (found.per_item is None) == (found.corpus is None):
        return "needs a function in per_item, or a Corpus in corpus, and not both"
    if found.corpus is None:
        return None if callable(found.per_item) else "has no function in per_item"
    known = isinstance(found.corpus, Corpus) and callable(found.corpus.statistics) and callable(found.corpus.compute)
    return None if known else "has no Corpus of two functions in corpus"
