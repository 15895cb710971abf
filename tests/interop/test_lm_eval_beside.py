"""A run and what lm-eval itself made of the same model are compared item by item, where what was asked is equal."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import Cli, Here, save_tiny_model

from lensbench.numbers.compare import content_key
from lensbench.records import ItemRecord

MINI = Path(__file__).parents[2] / "lensbench" / "datasets" / "mini"
LIMIT = 8


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The model, and the folder that lm-eval's evaluator wrote of it."""
    import lm_eval
    from lm_eval.loggers import EvaluationTracker
    from lm_eval.tasks import TaskManager

    home = tmp_path_factory.mktemp("beside")
    # lm-eval's own definition, over rows that lie here.
    definition = Path(lm_eval.__file__).parent / "tasks" / "xcopa" / "default_zh.yaml"
    rows = {"test": str(MINI / "xcopa" / "zh" / "test.jsonl"), "validation": str(MINI / "xcopa" / "zh" / "test.jsonl")}
    content = {"include": str(definition), "dataset_path": "json", "dataset_name": None, "dataset_kwargs": {"data_files": rows}}
    (home / "tasks").mkdir()
    (home / "tasks" / "xcopa_zh.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    model = save_tiny_model(home / "tiny", seed=3)
    tracker = EvaluationTracker(output_path=str(home / "out"))
    found: dict[str, Any] = lm_eval.simple_evaluate(
        "hf",
        model_args=f"pretrained={model},dtype=float32",
        device="cpu",
        tasks=["xcopa_zh"],
        batch_size=8,
        limit=LIMIT,
        evaluation_tracker=tracker,
        log_samples=True,
        task_manager=TaskManager(include_path=str(home / "tasks"), include_defaults=False),
    )
    samples = found.pop("samples")
    tracker.save_results_aggregated(results=found, samples=samples)
    tracker.save_results_samples(task_name="xcopa_zh", samples=samples["xcopa_zh"])
    (folder,) = (home / "out").iterdir()
    return model, folder


def test_a_run_beside_lm_evals_own_results(theirs: tuple[Path, Path], cli: Cli, tmp_path: Path) -> None:
    model, folder = theirs
    out = tmp_path / "run"
    done = cli(
        "run",
        "--backbone",
        model,
        "--tasks",
        "xcopa",
        "--languages",
        "zh",
        "--profile",
        "lm-eval",
        "--data",
        MINI,
        "--limit",
        LIMIT,
        "--out",
        out,
        "--dtype",
        "float32",
    )
    assert done.returncode == 0, done.stderr
    found = cli("compare", out, folder, "--json")
    assert found.returncode == 0, found.stderr
    content = json.loads(found.stdout)
    (cell,) = [c for c in content["cells"] if c["language"] == "zh"]
    assert (cell["n"], cell["only_a"], cell["only_b"], cell["equal"], cell["delta"]) == (LIMIT, 0, 0, LIMIT, 0.0)
    assert any("document, requests and target are equal (of 8 in A and 8 in B)" in note for note in content["notes"])
    plain = cli("compare", out, folder)
    assert "! xcopa/zh: asked in unlike ways" in plain.stdout


def test_other_prompts_are_not_compared(theirs: tuple[Path, Path], here: Here, tmp_path: Path) -> None:
    model, folder = theirs
    out = tmp_path / "run"
    code, said = here(
        "run",
        "--backbone",
        model,
        "--tasks",
        "xcopa",
        "--languages",
        "zh",
        "--profile",
        "lens-paper",
        "--data",
        MINI,
        "--limit",
        LIMIT,
        "--out",
        out,
        "--dtype",
        "float32",
    )
    assert code == 0, said
    code, said = here("compare", out, folder)
    assert code == 1 and "no item has equal document, requests and target in both" in said


def test_the_target_is_one_as_text_and_as_number() -> None:
    place = {"key": "k", "task": "t", "language": "en", "profile": "p", "requests": [("q", " yes"), ("q", " no")]}
    record = ItemRecord(**place, doc={"a": 1, "b": None}, gold="no")
    same = ItemRecord(**place, doc={"a": 1}, gold="1")
    assert content_key(record) == content_key(same)
    for change in ({"gold": "0"}, {"doc": {"a": 2}}, {"requests": [("q", " yes"), ("q", " nope")]}):
        assert content_key(replace(record, **change)) != content_key(same)
