"""Metrics by name: of lensbench and lm-eval, of installed packages, and unknown ones as described in a file."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import EntryPoint
from typing import Any, Protocol

from lensbench.errors import UnavailableError
from lensbench.metrics.basis import LANGUAGES, RATINGS, SCORES, Basis
from lensbench.metrics.fidelity import fidelity_metric
from lensbench.metrics.lm_eval import LM_EVAL
from lensbench.metrics.metric import OTHERWISE, Metric
from lensbench.metrics.metric_name import NO_FILTER, MetricName
from lensbench.metrics.plugin import metric_from
from lensbench.metrics.rating import RATING, rating_metric
from lensbench.metrics.unit import NUMBER, POINTS, SHARE, UNITS, Unit
from lensbench.plugins import BrokenPlugin, load_entry, plugin_entries, try_entry

__all__ = [
    "GROUP",
    "Measured",
    "get_metric",
    "installed_metric",
    "metric_as",
    "metric_in",
    "metric_of",
    "metrics",
    "metrics_of_packages",
    "told_direction",
]

GROUP = "lensbench.metrics"
"""Entry points of this group name a Metric each, under the metric's name."""
_LISTED = ("lf_turn1", "lf_response", "lf_question_concat", "lf_question_all", RATING)
"""Metrics of identifiers and judges that `ls metrics` shows; further ones are of other turns, readings and categories."""


def metrics() -> dict[str, Metric | BrokenPlugin]:
    """All metrics that can be listed, by name; those of packages come last."""
    table: dict[str, Metric | BrokenPlugin] = {**LM_EVAL, **{name: get_metric(name) for name in _LISTED}}
    for name, entry in metrics_of_packages().items():
        table[name] = metric_from(name, entry, try_entry)
    return table


def get_metric(name: str) -> Metric:
    """The metric of a name. One that nobody knows is a number without a direction.

    A metric of a package that cannot be imported is unknown here, so that a run that has it can still be shown.
    """
    found = _built_in(name) or _of_package(name)
    if found is not None:
        return found
    named = MetricName.parse(name)
    known = get_metric(named.metric) if named.filter != NO_FILTER else None
    # A filter of lm-eval makes another metric of it, with the same unit and direction.
    if known is not None and known.basis is SCORES:
        return Metric(name, name, known.unit, known.higher_is_better)
    return Metric(name, name, NUMBER, higher_is_better=None)


def installed_metric(name: str) -> Metric | None:
    """The metric of a package that computes it itself; None where no package has this name.

    Raises:
        UnavailableError: the package cannot be imported, or its metric cannot be used.
    """
    entry = metrics_of_packages().get(name)
    if entry is None:
        return None
    found = metric_from(name, entry, load_entry)
    if isinstance(found, BrokenPlugin):
        raise UnavailableError(f"metric '{name}' of the package '{found.origin}' cannot be used: {found.reason}")
    return found


def metric_as(name: str, basis: Basis) -> Metric:
    """The metric of a name, as one that was computed from this.

    A score whose name is that of a rating is no rating: nothing is known of it but its basis.
    """
    found = get_metric(name)
    if found.basis is basis:
        return found
    unit = {RATINGS.name: POINTS, LANGUAGES.name: SHARE}.get(basis.name, NUMBER)
    scored = basis is SCORES
    return Metric(
        name,
        name,
        unit,
        None if scored else True,
        basis,
        headline=OTHERWISE if scored else None,
        in_table=scored,
        mark={RATINGS.name: "rating", LANGUAGES.name: "language"}.get(basis.name, ""),
    )


def told_direction(metric: Metric, told: Mapping[str, Any] | None) -> Metric:
    """The metric with the direction that a task gives it; where the task says nothing, as it is.

    Args:
        told: Name of a metric, with or without its filter -> whether more is better, as the task's definition or lm-eval's
            results file has it.
    """
    for name in (metric.name, MetricName.parse(metric.name).metric):
        found = (told or {}).get(name)
        if isinstance(found, bool):
            return replace(metric, higher_is_better=found)
    return metric


class Measured(Protocol):
    """A number that says what it measures: a cell, an average or a comparison."""

    @property
    def metric(self) -> str: ...
    @property
    def unit(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def higher_is_better(self) -> bool | None: ...


def metric_of(number: Measured) -> Metric:
    """The metric of a cell, an average or a comparison, with the unit and direction that stand there."""
    return _measured(number.metric, number.unit, bool(number.source), number.higher_is_better)


def metric_in(cell: Mapping[str, Any]) -> Metric:
    """The same of a number as it stands in `results.json`.

    A cell that an older version wrote without one of these has it from the name.
    """
    name, unit = str(cell.get("metric", "")), cell.get("unit")
    more = cell.get("higher_is_better")
    source = cell.get("source")
    return _measured(
        name,
        unit if isinstance(unit, str) else None,
        bool(source) if isinstance(source, str) else None,
        (more if isinstance(more, bool) else None) if "higher_is_better" in cell else ...,
    )


@functools.lru_cache(maxsize=4096)
def _measured(name: str, unit: str | None, graded: bool | None, more: Any) -> Metric:
    found = get_metric(name)
    basis = found.basis
    if graded is False:
        basis = SCORES
    elif graded and basis is SCORES:
        basis = RATINGS if unit == POINTS.name else LANGUAGES
    found = metric_as(name, basis)
    told: Unit = found.unit
    if unit is not None:
        told = UNITS.get(unit, NUMBER)
    elif basis is SCORES:
        # Runs from before units were written had only shares and ratings.
        told = SHARE
    return replace(found, unit=told, higher_is_better=found.higher_is_better if more is ... else more)


def _built_in(name: str) -> Metric | None:
    return LM_EVAL.get(name) or fidelity_metric(name) or rating_metric(name)


@functools.lru_cache(maxsize=256)
def _of_package(name: str) -> Metric | None:
    entry = metrics_of_packages().get(name)
    found = metric_from(name, entry, try_entry) if entry is not None else None
    return found if isinstance(found, Metric) else None


@functools.cache
def metrics_of_packages() -> dict[str, EntryPoint]:
    """Entry points of installed packages by the name of their metric; imports nothing. A name that is taken is left out."""
    return {name: entry for name, entry in plugin_entries(GROUP).items() if _built_in(name) is None}
