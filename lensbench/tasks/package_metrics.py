"""Metrics in the `metric_list` of a task that installed packages compute: checked, kept from lm-eval, and computed per item."""

from __future__ import annotations

import functools
import importlib.metadata
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lensbench.errors import RunError, UsageError
from lensbench.jsonio import JsonObject
from lensbench.metrics import Metric, ScoredItem, installed_metric
from lensbench.printable import printable
from lensbench.tasks.schema import Profile

__all__ = ["compute_metric", "corpus_statistics", "for_lm_eval", "package_metrics", "versions_of"]

_KEYS = frozenset(("metric", "aggregation", "higher_is_better"))


def package_metrics(metric_list: Any, profile: Profile, path: Path) -> tuple[Metric, ...]:
    """The metrics of a `metric_list` that packages bring, in its order.

    Raises:
        UnavailableError: a package cannot be imported.
        UsageError: the profile has no log-likelihoods to compute them from, or an entry asks for something that is not done.
    """
    found = []
    for entry in _entries(metric_list):
        metric = installed_metric(str(entry.get("metric")))
        if metric is None:
            continue
        where = f"{path}: metric_list: '{metric.name}' of the package '{metric.origin}'"
        if profile.generates:
            raise UsageError(
                f"{where} is computed from log-likelihoods; under profile '{profile.profile}' answers are generated",
                "Remove it from metric_list, or use a profile that scores choices.",
            )
        if metric.corpus is None and entry.get("aggregation", "mean") != "mean":
            raise UsageError(
                f"{where}: aggregation is {entry['aggregation']!r}, and lensbench takes the mean over items", "Write mean."
            )
        strange = sorted(map(str, entry.keys() - _KEYS))
        if strange:
            raise UsageError(f"{where} takes no '{strange[0]}'", f"It takes: {', '.join(sorted(_KEYS))}.")
        found.append(metric)
    return tuple(found)


def for_lm_eval(metric_list: Any, metrics: Sequence[Metric]) -> Any:
    """The `metric_list` without the metrics of packages, which lm-eval does not know."""
    if not metrics:
        return metric_list
    names = {metric.name for metric in metrics}
    return [entry for entry in metric_list if not (isinstance(entry, dict) and entry.get("metric") in names)]


def versions_of(metrics: Sequence[Metric]) -> dict[str, str]:
    """Metric -> package and version, for the hash of the protocol: another version may compute another number."""
    return {metric.name: f"{metric.origin}=={importlib.metadata.version(metric.origin)}" for metric in metrics}


def compute_metric(metric: Metric, item: ScoredItem, where: str) -> float:
    """The metric of one item; one of the corpus, as if the item were all of it.

    Args:
        where: Names the item in a message.

    Raises:
        RunError: the package's function fails, or returns no finite number.
    """
    if metric.corpus is not None:
        # Here, since commands that only list tasks need no numpy.
        import numpy as np

        sums = np.array(corpus_statistics(metric, item, where))
        compute = metric.corpus.compute
        return _finite(metric, where, lambda: float(compute(sums)))
    assert metric.per_item is not None, "only metrics with a function are taken from packages"
    function = metric.per_item
    return _finite(metric, where, lambda: function(item))


def corpus_statistics(metric: Metric, item: ScoredItem, where: str) -> list[float]:
    """What an item adds to the sums of a metric of the corpus.

    Raises:
        RunError: the package's function fails, or returns something else than finite numbers.
    """
    assert metric.corpus is not None
    corpus = metric.corpus
    found: list[Any] = []

    def gather() -> float:
        found.extend(corpus.statistics(item))
        return 0.0

    _finite(metric, where, gather)
    return [_finite(metric, where, functools.partial(_same, value)) for value in found]


def _same(value: Any) -> Any:
    return value


def _finite(metric: Metric, where: str, function: Callable[[], Any]) -> float:
    about = f"metric '{metric.name}' of the package '{metric.origin}', {where}"
    hint = "Take it out of the task's metric_list, or have the package mended."
    try:
        value = function()
    except Exception as error:
        raise RunError(f"{about}: {printable(f'{type(error).__name__}: {error}', one_line=True)[:300]}", hint) from error
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise RunError(f"{about}: it is {value!r}, which is no finite number", hint)
    return float(value)


def _entries(metric_list: Any) -> list[JsonObject]:
    return [entry for entry in metric_list or () if isinstance(entry, dict)]
