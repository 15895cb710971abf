"""`--model lensbench` in lm-eval's own command, beside lm-eval's `hf` on the same model and rows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
WORDS = ("Rain", "The old bridge", "A cat", "Salt", "The river", "Wind")


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A task with choices, one with a single continuation, one over whole texts and one that generates, over local rows."""
    folder = tmp_path_factory.mktemp("tasks")
    rows = [
        {"text": f"{word} is", "choices": [f"wet {n}", "an answer of many words", "no"], "gold": n % 3}
        for n, word in enumerate(WORDS)
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    common = (
        f"dataset_path: json\ndataset_kwargs:\n  data_files:\n    test: {folder / 'rows.jsonl'}\ntest_split: test\n"
        'doc_to_text: "{{text}}"\n'
    )
    (folder / "picks.yaml").write_text(
        f"task: picks\n{common}output_type: multiple_choice\ndoc_to_choice: choices\ndoc_to_target: gold\n"
        "metric_list:\n  - metric: acc\n  - metric: acc_norm\n"
    )
    (folder / "ends.yaml").write_text(
        f'task: ends\n{common}output_type: loglikelihood\ndoc_to_target: " {{{{choices[1]}}}}"\n'
        "metric_list:\n  - metric: perplexity\n  - metric: acc\n"
    )
    (folder / "texts.yaml").write_text(
        f"task: texts\n{common.replace('{{text}}', '')}output_type: loglikelihood_rolling\n"
        'doc_to_target: "{{text}} {{choices[1]}}"\nmetric_list:\n  - metric: word_perplexity\n'
    )
    (folder / "says.yaml").write_text(
        f'task: says\n{common}output_type: generate_until\ndoc_to_target: "{{{{choices[0]}}}}"\n'
        'generation_kwargs:\n  until: ["e"]\n  max_gen_toks: 12\n  do_sample: false\nmetric_list:\n  - metric: exact_match\n'
    )
    return folder


NAMES = ("picks", "ends", "texts", "says")
Samples = dict[str, list[dict[str, Any]]]


def ours(model_dir: Path, tasks: Path, out: Path) -> Samples:
    """Samples by task, of lm-eval's command with our model."""
    words = ["run", "--model", "lensbench", "--model_args", f"pretrained={model_dir},dtype=float32", "--device", "cpu"]
    words += ["--tasks", ",".join(NAMES), "--include_path", str(tasks), "--batch_size", "2"]
    words += ["--output_path", str(out), "--log_samples"]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_DATASETS_CACHE": str(out / "cache"), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "lensbench.interop.lm_eval", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    found = {}
    for path in out.rglob("samples_*.jsonl"):
        samples = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        found[path.name.split("_")[1]] = samples
    return found


def by_hf(model_dir: Path, tasks: Path) -> Samples:
    """The same by lm-eval's own `hf`."""
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    found = simple_evaluate(
        model="hf",
        model_args={"pretrained": str(model_dir), "dtype": "float32"},
        tasks=list(NAMES),
        task_manager=TaskManager(include_path=str(tasks), include_defaults=False),
        batch_size=2,
        device="cpu",
        bootstrap_iters=0,
    )
    samples: Samples = found["samples"]
    return samples


def test_scores_and_answers_equal_those_of_hf(tiny_model_dir: Path, tasks: Path, tmp_path: Path) -> None:
    found, expected = ours(tiny_model_dir, tasks, tmp_path), by_hf(tiny_model_dir, tasks)
    assert found.keys() == expected.keys() == set(NAMES)
    for task in NAMES:
        pairs = [sorted(side[task], key=lambda sample: sample["doc_id"]) for side in (found, expected)]
        assert len(pairs[0]) == len(WORDS)
        for mine, other in zip(*pairs, strict=True):
            assert mine["doc_hash"] == other["doc_hash"] and mine["prompt_hash"] == other["prompt_hash"]
            assert [mine.get(name) for name in ("acc", "acc_norm", "exact_match")] == [
                other.get(name) for name in ("acc", "acc_norm", "exact_match")
            ]
            for (said,), (wanted,) in zip(mine["resps"], other["resps"], strict=True):
                if task == "says":
                    assert said == wanted
                elif task == "texts":
                    assert float(said) == pytest.approx(float(wanted), abs=1e-3)
                else:
                    # The file holds both as text.
                    assert float(said[0]) == pytest.approx(float(wanted[0]), abs=1e-4) and str(said[1]) == str(wanted[1])


def test_the_tree_engine_scores(tiny_model_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lm_eval.api.registry import get_model

    from lensbench.engines.tree.scorer import TreeScorer
    from lensbench.interop.lm_eval.model import LensbenchLM

    assert get_model("lensbench") is LensbenchLM
    model = LensbenchLM.create_from_arg_obj({"pretrained": str(tiny_model_dir)}, {"batch_size": "auto", "device": "cpu"})
    asked: list[int] = []
    real = TreeScorer.score

    def counted(self: TreeScorer, requests: Any, *rest: Any) -> Any:
        asked.append(len(requests))
        return real(self, requests, *rest)

    monkeypatch.setattr(TreeScorer, "score", counted)
    requests = model.token_requests([("A question", " yes"), ("A question", " no"), ("", "text")])
    scores = model.score_tokens(requests)
    assert asked == [3] and model.cannot is None
    expected = super(LensbenchLM, model).score_tokens(requests)
    assert [ll for ll, _ in scores] == pytest.approx([ll for ll, _ in expected], abs=1e-4)
    too_long = (("x", "y"), [5] * 3, [6] * 2000)
    assert [greedy for _, greedy in model.score_tokens([requests[0], too_long])] == [scores[0][1], False]


@pytest.mark.parametrize("batch_size", ["many", "0", -1])
def test_a_batch_size_that_is_no_number_is_refused(tiny_model_dir: Path, batch_size: Any) -> None:
    from lensbench.errors import UsageError
    from lensbench.interop.lm_eval.model import LensbenchLM

    with pytest.raises(UsageError, match="batch_size must be a number of sequences"):
        LensbenchLM(str(tiny_model_dir), device="cpu", batch_size=batch_size)
