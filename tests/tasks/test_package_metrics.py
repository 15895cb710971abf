"""A metric of a package: what its function may return, where its faults are shown, and when it is another metric."""

from __future__ import annotations

import dataclasses
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lensbench
from lensbench.errors import RunError, UsageError
from lensbench.metrics import LM_EVAL, NUMBER, POINTS, Corpus, Metric, ScoredItem
from lensbench.tasks.code import check_registered
from lensbench.tasks.package_metrics import compute_metric, versions_of

ITEM = ScoredItem({}, ("A", "B"), 0, (-21.5, -22.0), (True, False), (1, 1))
NATS = Metric("nats", "nats", per_item=lambda item: item.loglikelihoods[0], origin="odd-package")


def _module(path: Path, text: str) -> Any:
    path.write_text(text, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["NUMBER", "SHARE", "POINTS", "Unit", "Corpus", "Metric", "ScoredItem"])
def test_authors_of_metrics_import_from_lensbench(name: str) -> None:
    import lensbench.metrics as room

    assert getattr(lensbench, name) is getattr(room, name) and name in lensbench.__all__


def test_a_value_outside_the_unit_is_refused_and_the_unit_is_named() -> None:
    with pytest.raises(RunError, match=r"'nats' .*row 3: it is -21\.5, and values of its unit SHARE lie from 0 to 1") as caught:
        compute_metric(NATS, ITEM, "row 3")
    assert caught.value.hint is not None and "unit=NUMBER" in caught.value.hint
    assert compute_metric(dataclasses.replace(NATS, unit=NUMBER), ITEM, "") == -21.5
    rating = dataclasses.replace(NATS, unit=POINTS, per_item=lambda item: 11)
    with pytest.raises(RunError, match="POINTS lie from 0 to 10"):
        compute_metric(rating, ITEM, "")
    # A softmax may be above 1 by a rounding error.
    assert compute_metric(dataclasses.replace(NATS, per_item=lambda item: 1 + 1e-15), ITEM, "") == 1 + 1e-15


def test_the_unit_of_a_metric_of_the_corpus_bounds_its_value_and_not_its_sums() -> None:
    share = Corpus(lambda item: (3.0, 4.0), lambda sums: sums[..., 0] / sums[..., 1])
    metric = Metric("ratio", "ratio", corpus=share, origin="odd-package")
    assert compute_metric(metric, ITEM, "") == 0.75
    upside_down = dataclasses.replace(metric, corpus=dataclasses.replace(share, compute=lambda sums: sums[..., 1] / sums[..., 0]))
    with pytest.raises(RunError, match="SHARE"):
        compute_metric(upside_down, ITEM, "")


@pytest.mark.parametrize("value", [True, np.bool_(True), np.float32(1.0), np.int64(1), 1])
def test_what_counts_as_a_number(value: Any) -> None:
    found = compute_metric(dataclasses.replace(NATS, per_item=lambda item: value), ITEM, "")
    assert found == 1.0 and type(found) is float


def test_a_fault_shows_the_line_of_the_packages_code(tmp_path: Path) -> None:
    path = tmp_path / "odd_metric.py"
    module = _module(path, "import statistics\n\ndef fails(item):\n    return statistics.mean(item.doc['missing'])\n")
    with pytest.raises(RunError, match="KeyError: 'missing'") as caught:
        compute_metric(dataclasses.replace(NATS, per_item=module.fails), ITEM, "row 1")
    assert f"{path}, line 4" in str(caught.value)
    # The line of the package is shown, not that of the library it called.
    module = _module(path, "import statistics\n\ndef fails(item):\n    return statistics.mean([])\n")
    with pytest.raises(RunError, match="StatisticsError") as caught:
        compute_metric(dataclasses.replace(NATS, per_item=module.fails), ITEM, "row 1")
    assert f"{path}, line 4" in str(caught.value)


def test_an_edited_file_is_another_metric_without_a_new_version(tmp_path: Path) -> None:
    path = tmp_path / "edited_metric.py"

    def versions(text: str, *, corpus: bool = False) -> dict[str, str]:
        module = _module(path, text)
        functions: dict[str, Any] = {"per_item": module.f}
        if corpus:
            functions = {"per_item": None, "corpus": Corpus(module.f, np.sum)}
        # An installed distribution, for its version.
        return versions_of([dataclasses.replace(NATS, origin="pytest", **functions)])

    one = "def f(item):\n    return 0.5\n"
    before = versions(one)
    assert before["nats"].startswith("pytest==") and before == versions(one)
    assert before != versions(one.replace("0.5", "0.6"))
    assert versions(one, corpus=True) != versions(one.replace("0.5", "0.6"), corpus=True)


def test_an_unknown_metric_may_be_one_of_a_package() -> None:
    with pytest.raises(UsageError) as caught:
        check_registered({"metric_list": [{"metric": "gold_probabillity"}]}, Path("mine.yaml"))
    assert caught.value.hint is not None and "install" in caught.value.hint and "`lensbench ls metrics`" in caught.value.hint


def test_the_list_says_what_a_metric_list_may_name() -> None:
    from lm_eval.api import metrics as registers  # noqa: F401
    from lm_eval.api.registry import metric_registry

    listed = {row["name"]: row["in_metric_list"] for row in lensbench.list_metrics()}
    assert {name: listed[name] for name in LM_EVAL} == {name: name in metric_registry for name in LM_EVAL}
    assert listed["rating"] is False and listed["lf_turn1"] is False
