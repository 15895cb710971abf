"""Which way a metric is better decides verdict, marks, fixed and broken, bold type and what may be averaged together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scored_run import write_run as write_scored
from simulated_run import simulate
from table_runs import SMALL, cell, results, write_run

from lensbench.metrics import get_metric, metric_in, told_direction
from lensbench.numbers.compare import compare
from lensbench.numbers.results import collect_results
from lensbench.numbers.run_results import read_results
from lensbench.numbers.summarise import summary
from lensbench.numbers.verdict import make_verdict
from lensbench.records import RunFolder
from lensbench.reporting.html.gather import gather
from lensbench.reporting.open_runs import open_runs
from lensbench.reporting.run_view import RunView
from lensbench.reporting.tables import build_table, load_table_spec, render_table
from lensbench.reporting.text.table import table_lines


def tell(run: RunFolder, **directions: dict[str, Any]) -> None:
    content = run.read_json("variants.json")
    for key, told in directions.items():
        content["tasks"][key.replace("__", "/")]["higher_is_better"] = told
    run.write_json("variants.json", content)


@pytest.fixture
def scored(tmp_path: Path) -> RunFolder:
    """Base has 1 on 10 of 40 items of both tasks, the other on 38."""
    base, other = np.repeat([1.0, 0.0], [10, 30]), np.repeat([1.0, 0.0], [38, 2])
    return write_scored(
        tmp_path / "run",
        {
            (f"{task}/zh", variant): values
            for task in ("xcopa", "xwinograd")
            for variant, values in (("base", base), ("lens", other))
        },
    )


@pytest.mark.parametrize(
    ("told", "expected"), [({"acc": True}, "better"), ({"acc": False}, "worse"), ({}, "better"), (None, "better")]
)
def test_the_verdict_follows_the_direction(scored: RunFolder, told: dict[str, bool] | None, expected: str) -> None:
    for task in ("xcopa__zh", "xwinograd__zh"):
        tell(scored, **{task: told})
    content = read_results(collect_results(scored))
    (endpoint,) = [a for a in content.averages if a.role == "endpoint" and a.variant == "lens"]
    assert endpoint.verdict == expected
    line = next(row for row in table_lines(content) if row.task.lower() == "xcopa" and row.variant == "lens")
    assert line.metric == ("accuracy, lower is better" if expected == "worse" else "accuracy")


def test_metrics_of_unlike_direction_are_never_averaged(scored: RunFolder) -> None:
    assert any(a.over == "tasks" for a in summary(scored).averages)
    tell(scored, xcopa__zh={"acc": False})
    apart = summary(scored).averages
    assert {a.over for a in apart} == {"cell"}
    assert {a.task: a.verdict for a in apart if a.variant == "lens"} == {"xcopa": "worse", "xwinograd": "better"}
    tell(scored, xcopa__zh={"acc": False}, xwinograd__zh={"acc": False})
    averages = [a for a in summary(scored).averages if a.variant == "lens"]
    assert averages and all(a.verdict == "worse" for a in averages)


def test_fixed_and_broken_follow_it(scored: RunFolder) -> None:
    up = compare(scored, scored, "base", "lens").cells[0]
    tell(scored, xcopa__zh={"acc": False})
    down = compare(scored, scored, "base", "lens").cells[0]
    # 28 items went from 0 to 1, 10 are 1 and 2 are 0 in both.
    assert (up.fixed, up.broken, up.both_right, up.both_wrong) == (28, 0, 10, 2)
    assert (down.fixed, down.broken, down.both_right, down.both_wrong) == (0, 28, 2, 10)
    assert down.delta == up.delta


def test_the_report_marks_items_by_it(tmp_path: Path) -> None:
    folder = simulate(tmp_path / "run", items=12, variants=("base", "lens"), languages=("en",), tasks=("xcopa",))
    up = gather([RunView(folder, read_results(collect_results(folder)))])
    tell(folder, xcopa__en={"acc": False})
    down = gather([RunView(folder, read_results(collect_results(folder)))])
    rights = [(a.cells[n].right, b.cells[n].right) for a, b in zip(up, down, strict=True) for n in (0, 1)]
    assert {True, False} <= {one for one, _ in rights}
    assert all(one is None if other is None else one is not other for one, other in rights)


def test_bold_follows_it(tmp_path: Path) -> None:
    lower = {"higher_is_better": False}
    content = results(
        [
            cell("xcopa", "zh", "base", 0.5, **lower),
            cell("xcopa", "zh", "lens", 0.3, delta=-0.2, delta_low=-0.3, delta_high=-0.1, leads=["all", "enhanced"], **lower),
            cell("xcopa", "zh", "xsft", 0.8, delta=0.3, delta_low=0.2, delta_high=0.4, **lower),
        ]
    )
    spec = tmp_path / "small.yaml"
    spec.write_text(SMALL, encoding="utf-8")
    runs = open_runs([write_run(tmp_path / "run", content)])
    made = build_table(load_table_spec(str(spec)), runs)
    shown = {row.label: [(c.style, c.mark) for c in row.cells if c.text not in ("–", "—")] for row in made.sections[0].rows}
    # A single cell is exploratory: it has no sign, whatever its difference.
    assert shown == {"base": [("underline", "")], "LENS": [("bold", "")], "xSFT": [("none", "")]}
    assert "Lower is better: XCOPA." in render_table(made, "md")


def test_a_mean_over_unlike_directions_is_none(tmp_path: Path) -> None:
    content = results(
        [cell("xcopa", "zh", "base", 0.5, higher_is_better=False), cell("xwinograd", "zh", "base", 0.5, higher_is_better=True)]
    )
    spec = tmp_path / "small.yaml"
    spec.write_text(SMALL, encoding="utf-8")
    runs = open_runs([write_run(tmp_path / "run", content)])
    assert "of metrics of which some are better high and some low" in render_table(
        build_table(load_table_spec(str(spec)), runs), "md"
    )


def test_a_metric_of_which_nothing_tells_it_is_never_better_or_worse() -> None:
    told = metric_in({"metric": "share_of_hats"}).higher_is_better
    assert told is None
    assert make_verdict(0.001, 0.1, 0.3, told) == "differs"
    assert make_verdict(0.001, 0.1, 0.3, False) == "worse"


def test_a_filter_is_no_other_metric() -> None:
    def direction(name: str, told: dict[str, Any] | None) -> bool | None:
        return told_direction(get_metric(name), told).higher_is_better

    assert direction("toxicity:strict", {"toxicity": False}) is False
    assert direction("exact_match:strict", None) is True
    assert direction("perplexity", {}) is False
    assert direction("acc", {"acc": "yes"}) is True


def test_a_tasks_metric_list_says_it(tmp_path: Path) -> None:
    """As the YAML has it, whatever lm-eval registers for the name."""
    from types import SimpleNamespace

    from lensbench.datasets.sources import open_data
    from lensbench.stages.describe import _directions
    from lensbench.tasks import TaskRegistry, resolve
    from lensbench.tasks.build import build_task

    registry = TaskRegistry()
    task = resolve(registry.find("xcopa", "lens-paper"), "zh", registry.profile("lens-paper"))
    from lensbench.datasets.rows import load_rows_spec

    rows = open_data("embedded").load(load_rows_spec("xcopa", task.entry.folder), task.language, task.split)
    task.config["metric_list"] = [{"metric": "acc", "aggregation": "mean", "higher_is_better": False}]
    built: Any = SimpleNamespace(built=build_task(task, rows), planned=SimpleNamespace(task=task))
    assert _directions(built) == {"acc": False}
