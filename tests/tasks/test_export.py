"""Exported tasks run in lm-eval itself, and score what lensbench scores when asked the same way."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from lensbench.datasets.sources import open_data
from lensbench.engines.reference.lm import LensLM
from lensbench.errors import UsageError
from lensbench.tasks import TaskRegistry, resolve
from lensbench.tasks.build import build_items, build_task
from lensbench.tasks.export import export_task

ROWS = [
    {
        "premise": f"The lamp number {i} went out.",
        "choice1": "The bulb had burnt through.",
        "choice2": "It was a fine day.",
        "question": "cause" if i % 2 else "effect",
        "label": i % 3 % 2,
        "idx": i,
        "changed": False,
    }
    for i in range(6)
]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    home = tmp_path / "data" / "xcopa" / "it"
    home.mkdir(parents=True)
    (home / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    return tmp_path / "data"


def test_lm_eval_runs_an_export(data: Path, tmp_path: Path, tiny) -> None:
    import lm_eval
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    registry = TaskRegistry()
    task = resolve(registry.find("xcopa", "lens-paper"), "it", registry.profile("lens-paper"))
    path = export_task(task, tmp_path / "exported", data)
    assert path.name == "lensbench_xcopa_it.yaml"
    theirs = lm_eval.simple_evaluate(
        HFLM(pretrained=tiny.model, tokenizer=tiny.tokenizer, batch_size=4),
        tasks=["lensbench_xcopa_it"],
        task_manager=TaskManager(include_path=str(path.parent), include_defaults=False),
        apply_chat_template=True,
        bootstrap_iters=0,
    )
    samples = theirs["samples"]["lensbench_xcopa_it"]
    assert len(samples) == len(ROWS)
    rows = open_data(str(data)).load(task.rows_specs()[0], task.language, "test")
    lm = LensLM(tiny)
    items = build_items(task, build_task(task, rows), lm.apply_chat_template, None)
    for item, sample in zip(items, sorted(samples, key=lambda s: s["doc_id"]), strict=True):
        assert tuple(tuple(argument) for argument in sample["arguments"]) == item.requests


def test_exports_over_the_hub_name_its_data_set(tmp_path: Path) -> None:
    registry = TaskRegistry()
    task = resolve(registry.find("xwinograd", "lens-paper"), "ja", registry.profile("lens-paper"))
    content = yaml.safe_load(export_task(task, tmp_path).read_text(encoding="utf-8"))
    assert (content["dataset_path"], content["dataset_name"], content["test_split"]) == ("Muennighoff/xwinograd", "jp", "test")


def test_what_cannot_be_exported_says_why(tmp_path: Path) -> None:
    registry = TaskRegistry()
    upstream = resolve(registry.find("xcopa", "lm-eval"), "zh", registry.profile("lm-eval"))
    with pytest.raises(UsageError, match="lm-eval's own task"):
        export_task(upstream, tmp_path)
    nowhere = resolve(registry.find("xcopa", "lens-paper"), "ja", registry.profile("lens-paper"))
    with pytest.raises(UsageError, match="hub has no rows"):
        export_task(nowhere, tmp_path)
    assert list(tmp_path.iterdir()) == []
