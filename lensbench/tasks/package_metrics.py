"""Metrics in the `metric_list` of a task that installed packages compute: checked, kept from lm-eval, and computed per item."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import inspect
import math
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lensbench.errors import RunError, UsageError
from lensbench.jsonio import JsonObject
from lensbench.metrics import NUMBER, POINTS, SHARE, Metric, ScoredItem, Unit, installed_metric
from lensbench.printable import printable
from lensbench.tasks.schema import Profile

__all__ = ["compute_metric", "corpus_statistics", "for_lm_eval", "package_metrics", "versions_of"]

_KEYS = frozenset(("metric", "aggregation", "higher_is_better"))
_ROUNDING = 1e-9
"""A value may be so far outside its unit: sums of shares are not exact."""
_UNITS = {id(unit): name for name, unit in (("SHARE", SHARE), ("POINTS", POINTS), ("NUMBER", NUMBER))}
"""Units by the names under which packages import them."""


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
    """Metric -> package, version and content of its functions' files, for the hash of the protocol.

    Another version may compute another number, and so may a file that was edited without a new version.
    """
    return {metric.name: f"{metric.origin}=={importlib.metadata.version(metric.origin)}{_content(metric)}" for metric in metrics}


def _content(metric: Metric) -> str:
    """The SHA-256 of the files that the metric's functions stand in; "" where there is none to read."""
    functions = (metric.per_item,) if metric.corpus is None else (metric.corpus.statistics, metric.corpus.compute)
    digest, read = hashlib.sha256(), False
    for file in sorted({file for function in functions if (file := _file_of(function)) is not None}):
        digest.update(file.read_bytes())
        read = True
    return f" sha256:{digest.hexdigest()}" if read else ""


def _file_of(function: Any) -> Path | None:
    """Where a function stands, or the class of a callable object; None for one that has no file."""
    while isinstance(function, functools.partial):
        function = function.func
    function = inspect.unwrap(function)
    for one in (function, type(function)):
        try:
            file = inspect.getsourcefile(one)
        except TypeError:
            continue
        if file is not None and Path(file).is_file():
            return Path(file)
    return None


def compute_metric(metric: Metric, item: ScoredItem, where: str) -> float:
    """The metric of one item; one of the corpus, as if the item were all of it.

    Args:
        where: Names the item in a message.

    Raises:
        RunError: the package's function fails, or returns no finite number, or one outside the metric's unit.
    """
    value = _value_of(metric, item, where)
    unit = metric.unit
    if not unit.lowest - _ROUNDING <= value <= unit.highest + _ROUNDING:
        raise RunError(f"{_about(metric, where)}: it is {value!r}, and values of its unit {_bounds(unit)}", _unit_hint(unit))
    return value


def _bounds(unit: Unit) -> str:
    return f"{_UNITS.get(id(unit), unit.name)} lie from {unit.lowest:g} to {unit.highest:g}"


def _unit_hint(unit: Unit) -> str:
    others = " or ".join(
        f"unit={name} ({said})"
        for other, name, said in ((NUMBER, "NUMBER", "any number, shown as it is"), (SHARE, "SHARE", "0 to 1, shown in percent"))
        if other is not unit
    )
    default = " A Metric without unit has SHARE." if unit is SHARE else ""
    return f"Give the Metric of the package {others}, imported from lensbench.{default}"


def _value_of(metric: Metric, item: ScoredItem, where: str) -> float:
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


def _about(metric: Metric, where: str) -> str:
    return f"metric '{metric.name}' of the package '{metric.origin}', {where}"


def _finite(metric: Metric, where: str, function: Callable[[], Any]) -> float:
    about = _about(metric, where)
    hint = "Take it out of the task's metric_list, or have the package mended."
    try:
        value = function()
    except Exception as error:
        said = printable(f"{type(error).__name__}: {error}", one_line=True)[:300]
        raise RunError(f"{about}: {said}{_line_of(metric, error)}", hint) from error
    # A number of numpy or torch; whether a choice is the right one is a truth value, of which 1 and 0 are the numbers.
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        value = value.item()
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise RunError(f"{about}: it is {value!r}, which is no finite number", hint)
    return float(value)


def _line_of(metric: Metric, error: Exception) -> str:
    """` (FILE, line N)`: the last line of the package's own files that the error went through, or else where it was raised."""
    functions = (metric.per_item, *((metric.corpus.statistics, metric.corpus.compute) if metric.corpus is not None else ()))
    folders = {file.parent for function in functions if function is not None and (file := _file_of(function)) is not None}
    ours = Path(__file__)
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename) != ours]
    own = [frame for frame in frames if Path(frame.filename).parent in folders]
    shown = (own or frames)[-1:]
    return f" ({shown[0].filename}, line {shown[0].lineno})" if shown else ""


def _entries(metric_list: Any) -> list[JsonObject]:
    return [entry for entry in metric_list or () if isinstance(entry, dict)]
