"""Tasks that are more or less than choices compared: one target per item, answers to generate, choices asked twice; examples."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from small_rows import write_small_data

from lensbench.backbones.load import LoadedBackbone
from lensbench.engines.reference.lm import LensLM
from lensbench.errors import DataError, RunError, UsageError
from lensbench.plan.plan import Plan, make_plan
from lensbench.plan.request import RunRequest
from lensbench.plan.resume_checks import pin_rows
from lensbench.plan.task_items import TaskItems, load_rows, render_items
from lensbench.records import RunFolder, ScoreRecord
from lensbench.spec import BASE
from lensbench.stages.score_record import score_record
from lensbench.stages.variants import Variant

ROWS = """\
rows: endings
splits: {test: null}
columns:
  text: {type: text}
  target: {type: str}
licence: Apache-2.0
provenance: model-written
citation: "none"
"""
TASK = """\
task: %s
profile: lm-eval
rows: [endings]
%s
test_split: test
doc_to_text: "{{ text }}"
doc_to_target: "{{ ' ' + target }}"
metadata: {version: 1.0}
languages: {en: {}, zh: {}}
"""
TWICE = """\
task: twice
profile: lm-eval
rows: [xcopa]
output_type: multiple_choice
validation_split: validation
test_split: test
doc_to_text: "{{ premise }}"
doc_to_choice: "{{ [choice1, choice2] }}"
doc_to_target: label
metric_list: [{metric: acc}, {metric: acc_mutual_info}]
metadata: {version: 1.0}
languages: {en: {}, zh: {}}
"""
ENDINGS = [("The cat sat on the", "mat"), ("She read her", "letter"), ("Rain fell on the old", "door")]


@pytest.fixture(scope="module")
def include(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("include")
    (folder / "rows").mkdir()
    (folder / "rows" / "endings.yaml").write_text(ROWS)
    (folder / "endings.yaml").write_text(TASK % ("endings", "output_type: loglikelihood"))
    (folder / "written.yaml").write_text(TASK % ("written", "output_type: generate_until"))
    (folder / "unsaid.yaml").write_text(TASK % ("unsaid", "vars: {}"))
    (folder / "twice.yaml").write_text(TWICE)
    return folder


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = write_small_data(tmp_path / "data", items=6, questions=2)
    for language in ("en", "zh"):
        place = folder / "endings" / language
        place.mkdir(parents=True)
        (place / "test.jsonl").write_text("".join(json.dumps({"text": x, "target": y}) + "\n" for x, y in ENDINGS))
        rows = (folder / "xcopa" / language / "test.jsonl").read_text(encoding="utf-8").splitlines()
        examples = [json.dumps({**json.loads(row), "premise": f"Example {i}."}) for i, row in enumerate(rows)]
        (folder / "xcopa" / language / "validation.jsonl").write_text("\n".join(examples) + "\n")
    return folder


def plan(include: Path, data: Path, task: str, **more: Any) -> Plan:
    return make_plan(
        RunRequest("smollm2-135m", tasks=(task,), profile="lm-eval", data=str(data), include=(include,), **more)  # type: ignore[arg-type]
    )


def render(made: Plan) -> list[TaskItems]:
    return render_items(made, load_rows(made, {}), lambda messages, **_: str(messages))


def test_a_task_of_targets_scores_them_and_is_written(
    include: Path, data: Path, tiny: LoadedBackbone, tiny_model_dir: Path, tmp_path: Path, cli: Any
) -> None:
    out = tmp_path / "run"
    done = cli(
        "run",
        "--backbone",
        tiny_model_dir,
        "--tasks",
        "endings",
        "--profile",
        "lm-eval",
        "--include-path",
        include,
        "--data",
        data,
        "--languages",
        "zh",
        "--device",
        "cpu",
        "--variant",
        f"other={tiny_model_dir}",
        "--out",
        out,
    )
    assert done.returncode == 0, done.stderr
    items = {r["key"]: r for r in map(json.loads, (out / "items" / "items.jsonl").read_text().splitlines())}
    assert sorted(tuple(item["requests"][0]) for item in items.values()) == sorted((x, f" {y}") for x, y in 2 * ENDINGS)
    greedy = []
    for record in map(json.loads, (out / "items" / "score.jsonl").read_text().splitlines()):
        context, target = (
            tiny.tokenizer(part, add_special_tokens=False).input_ids for part in items[record["item"]]["requests"][0]
        )
        # Each byte is a token, so the text is cut where the target begins.
        ids = torch.tensor([[*context, *target]])
        with torch.inference_mode():
            logprobs = tiny.model(ids).logits[0, len(context) - 1 : -1].double().log_softmax(-1)
        expected = sum(float(row[token]) for row, token in zip(logprobs, target, strict=True))
        assert record["loglikelihoods"] == [pytest.approx(expected, abs=1e-3)]
        greedy.append(logprobs.argmax(-1).tolist() == target)
        assert record["metrics"]["acc"] == greedy[-1] and record["tokens"] == [len(target)]
    assert len(greedy) == 12 and not all(greedy)
    # lm-eval's `perplexity` of an item is its log-likelihood: the mean is below 0 and has no standard error of a share.
    (written,) = (out / "lm_eval" / "base").glob("results_*.json")
    results = json.loads(written.read_text())["results"]["endings_zh"]
    assert results["perplexity,none"] < 0 and results["perplexity_stderr,none"] == "N/A"
    mean = results["acc,none"]
    assert results["acc_stderr,none"] == pytest.approx((mean * (1 - mean) / 2) ** 0.5)


@pytest.mark.parametrize("task", ["written", "unsaid"])
def test_generated_answers_are_not_asked_under_a_profile_that_scores(include: Path, data: Path, task: str) -> None:
    with pytest.raises(UsageError, match=f"task '{task}' generates answers .* 'lm-eval' scores") as caught:
        plan(include, data, task)
    assert "open" in str(caught.value.hint)


def test_examples_come_from_the_split_that_is_there(include: Path, data: Path) -> None:
    for asked in render(plan(include, data, "xcopa", languages=("zh",), num_fewshot=2)):
        for item in asked.items:
            assert item.requests[0][0].count("Example") == 2
    for language in ("en", "zh"):
        (data / "xcopa" / language / "validation.jsonl").unlink()
    with pytest.raises(DataError, match=r"no examples for 'twice' in 'en' \(splits val, validation, dev, train\)"):
        # The hub has XCOPA's validation rows, but no English.
        load_rows(plan(include, data, "twice", num_fewshot=2), {})


def test_the_scored_rows_are_no_examples(include: Path, data: Path) -> None:
    (include / "dev.yaml").write_text(TWICE.replace("task: twice", "task: dev").replace("test_split: test\n", ""))
    with pytest.raises(DataError, match=r"no examples for 'dev' in 'en' \(splits val, dev, train\)"):
        load_rows(plan(include, data, "dev", num_fewshot=2), {})


def test_changed_examples_are_noticed(include: Path, data: Path, tmp_path: Path) -> None:
    made = plan(include, data, "xcopa", languages=("zh",), num_fewshot=2)
    folder = RunFolder(tmp_path / "run")
    folder.begin(made.spec)
    pin_rows(folder, load_rows(made, {}))
    pin_rows(folder, load_rows(made, {}))
    path = data / "xcopa" / "zh" / "validation.jsonl"
    path.write_text(path.read_text().replace("Example 0", "Another 0"))
    with pytest.raises(RunError, match="xcopa/zh/examples"):
        pin_rows(folder, load_rows(made, {}))


def test_choices_asked_twice_are_counted_once(include: Path, data: Path, tiny: LoadedBackbone) -> None:
    asked = render(plan(include, data, "twice"))[0]
    lm = LensLM(tiny)
    item = next(item for item in asked.items if item.gold == item.doc["choice1"])
    assert [context for context, _ in item.requests] == [item.doc["premise"]] * 2 + ["", ""]
    encoded = [lm.token_request(*request) for request in item.requests]

    def record(*answers: float, noise: float = 0.01) -> ScoreRecord:
        return score_record(asked, item, Variant(BASE), "key", encoded, [(ll, False) for ll in answers], noise)

    # The choices are 2 nats apart with the question, and 1 without it: that without it is the larger, and close, is no tie.
    clear = record(-5.0, -7.0, -1.0, -1.005)
    assert clear.loglikelihoods == [-5.0, -7.0] and clear.unconditional == [(-1.0, False), (-1.005, False)]
    assert clear.metrics == {"acc": 1.0, "acc_mutual_info": 1.0} and not clear.tied
    assert len(clear.tokens) == len(clear.greedy) == 2
    # Information of -4.00 and -4.03: four roundings of 0.01 decide between them.
    close = record(-5.0, -7.0, -1.0, -2.97)
    assert close.metrics == {"acc": 1.0, "acc_mutual_info": 1.0} and close.tied
    assert not record(-5.0, -7.0, -1.0, -2.95).tied
    assert record(-5.0, -5.015, -1.0, -5.0).tied
