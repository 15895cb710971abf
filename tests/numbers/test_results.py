"""Results with and without verdicts: made, stored, and read again from a run that an older version wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scored_run import write_run
from table_runs import small
from table_runs import write_run as write_results_only

import lensbench
from lensbench.numbers.results import collect_results, current_results
from lensbench.records import RunFolder
from lensbench.reporting.open_runs import open_runs
from lensbench.reporting.run_view import RunView
from lensbench.stages.results import store_results


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    """lens has 38 of 40 items where base has 10, and xsft has what base has; both in two tasks."""
    base, lens = np.repeat([1.0, 0.0], [10, 30]), np.repeat([1.0, 0.0], [38, 2])
    values = {"base": base, "lens": lens, "xsft": base}
    tasks = ("xcopa/zh", "xwinograd/zh")
    folder = write_run(tmp_path / "run", {(task, name): v for task in tasks for name, v in values.items()})
    folder.write_json(
        "run.json",
        {
            "spec": {
                "lensbench": "0",
                "backbone": "b",
                "languages": ["zh"],
                "methods": [],
                "profile": "p",
                "tasks": [],
                "data": "x",
            },
            "pinned": {},
        },
    )
    store_results(folder, collect_results(folder))
    return folder


CELLS = {"base": None, "lens": "exploratory", "xsft": "exploratory"}
ENDPOINTS = {"base": None, "lens": "better", "xsft": "not distinguishable"}


def verdicts(entries: Any) -> dict[str, str | None]:
    return {entry["variant"]: entry["verdict"] for entry in entries}


def test_the_verdict_stands_in_the_file_and_in_the_frame(run: RunFolder) -> None:
    stored = json.loads((run.path / "results.json").read_text(encoding="utf-8"))
    assert verdicts(stored["cells"]) == CELLS
    assert verdicts(stored["averages"]) == ENDPOINTS and {a["role"] for a in stored["averages"]} == {"endpoint"}
    frame = lensbench.load(run.path).cells
    assert set(frame.query("verdict == 'exploratory'").variant) == {"lens", "xsft"}
    assert frame.query("verdict == 'better'").empty
    assert frame[frame.variant == "base"].verdict.isna().all()


def without_verdicts(content: dict[str, Any]) -> dict[str, Any]:
    for listed in ("cells", "averages"):
        for entry in content[listed]:
            for name in ("verdict", "role"):
                entry.pop(name, None)
    return content


def test_an_older_run_that_was_sent_without_records_gets_its_verdicts_when_it_is_read(run: RunFolder) -> None:
    path = run.path / "results.json"
    path.write_text(json.dumps(without_verdicts(json.loads(path.read_text(encoding="utf-8")))), encoding="utf-8")
    (run.path / "variants.json").unlink()
    found = current_results(RunFolder(run.path))
    assert verdicts(found["cells"]) == verdicts(found["averages"]) == CELLS
    assert verdicts([cell.as_dict() for cell in RunView.of(RunFolder(run.path)).results.cells]) == CELLS


def test_an_older_file_that_is_still_true_gets_them_too(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its digest is that of the file without verdicts."""
    store_results(run, without_verdicts(collect_results(run)))
    import lensbench.numbers.results as results

    monkeypatch.setattr(results, "collect_results", lambda folder: pytest.fail("made again"))
    assert verdicts(current_results(run)["cells"]) == CELLS


def test_tables_read_them(tmp_path: Path) -> None:
    content = small()
    for cell in content["cells"]:
        cell.pop("verdict", None)
    (found,) = open_runs([write_results_only(tmp_path / "old", content)])
    said = {(c.task, c.language, c.variant): c.verdict for c in found.results.cells if c.variant == "xsft"}
    assert said == {
        ("xcopa", "zh", "xsft"): "exploratory",
        ("xwinograd", "en", "xsft"): "exploratory",
        ("xwinograd", "zh", "xsft"): "exploratory",
    }
