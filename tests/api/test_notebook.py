"""The notebook under `examples/` runs from its first cell to its last."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from conftest import save_tiny_model
from judge_server import JudgeServer
from notebooks import ROOT, outputs_of, run_notebook

import lensbench as lb

NOTEBOOK = ROOT / "examples" / "notebook.ipynb"
SMALL = {"LIMIT": 2, "MAX_NEW_TOKENS": 2, "SETTINGS": {"n_probe": 8, "n_parallel": 16, "warmup_ratio": 0}}


def check(notebook: Any, home: Path) -> None:
    table = outputs_of(notebook, "import lensbench as lb")["text/html"]
    assert "Did it help?" in table and "Did English suffer?" in table and "<th>at worst</th>" in table
    assert "dataframe" in outputs_of(notebook, 'run.averages.query("role')["text/html"]
    run = lb.load(next(path for path in (home / "runs").iterdir() if path.name.startswith("lens-smollm2-135m-zh")))
    items = outputs_of(notebook, "run.items.query")["text/html"]
    rows = len(run.items.query("variant == 'lens' and language == 'zh'"))
    assert (rows and f"{rows} rows" in items) or items.count("<tr") == rows + 1
    compared = outputs_of(notebook, "lb.evaluate(")["text/html"]
    assert "B less A" in compared and "runs/other" in compared
    assert re.search(r"Fitted\(Delta, first_changed_layer=\d+\)", outputs_of(notebook, "delta =")["text/plain"])
    scored = outputs_of(notebook, "lb.score")["text/plain"]
    assert scored.count("Scored(loglikelihood=-") == 2
    judged = run.cells[run.cells.metric == "rating"]
    assert len(judged) and judged.value.notna().all(), "the judge's ratings are in the run"
    bars = [o for cell in notebook.cells if cell.cell_type == "code" for o in cell.outputs if o.output_type == "display_data"]
    assert bars and not any("<progress" in o.data.get("text/html", "") for o in bars), "every bar became a line at its end"
    assert not any(o.output_type == "error" for cell in notebook.cells if cell.cell_type == "code" for o in cell.outputs)


def test_the_notebook_runs_on_a_tiny_model(tmp_path: Path) -> None:
    save_tiny_model(tmp_path / "models" / "smollm2-135m", layers=4, hidden=16)
    env = {"LENSBENCH_MODELS": str(tmp_path / "models"), "LENSBENCH_CACHE": str(tmp_path / "cache")}
    with JudgeServer() as judge:
        parameters = {**SMALL, "JUDGE_URL": judge.url, "JUDGE_MODEL": "m"}
        check(run_notebook(NOTEBOOK, tmp_path, parameters, env), tmp_path)


@pytest.mark.slow
def test_the_notebook_runs_on_smollm2(tmp_path: Path) -> None:
    with JudgeServer() as judge:
        parameters = {
            "LIMIT": 4,
            "MAX_NEW_TOKENS": 8,
            "SETTINGS": {"n_probe": 8, "n_parallel": 16},
            "JUDGE_URL": judge.url,
            "JUDGE_MODEL": "m",
        }
        check(run_notebook(NOTEBOOK, tmp_path, parameters, {}), tmp_path)
