"""Cut prompts, prompts without room and logits that are not finite are no answers: counted, in no mean, and told."""

from __future__ import annotations

import html
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from lensbench.backbones.load import LoadedBackbone
from lensbench.engines.generation.decode import generate_answers
from lensbench.engines.layer_sharing import BASE_BRANCH
from lensbench.engines.protocol import AnswerRequest
from lensbench.engines.reference.lm import LensLM
from lensbench.engines.tree.scorer import TreeScorer
from lensbench.reasoning import ONLY_REASONING
from lensbench.reporting.text.table import unscored_notes
from lensbench.states import SENTENCES, UNANSWERED, UNSCORED
from lensbench.tasks.checks import EMPTY_CHOICE, EQUAL_CHOICES


def records(run: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "items" / f"{name}.jsonl").read_text().splitlines()]


def cells(run: Path) -> list[dict[str, Any]]:
    return json.loads((run / "results.json").read_text())["cells"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two questions of two turns and one of one; two choices of which one has a premise of more than the window."""
    folder = tmp_path_factory.mktemp("data")
    open_rows = [
        {"question_id": 1, "category": "writing", "turns": ["你好吗?", "为什么?"]},
        {"question_id": 2, "category": "math", "turns": ["长" * 1500, "短?"]},
    ]
    closed = [
        {"idx": n, "premise": premise, "choice1": "一", "choice2": "二", "question": "cause", "label": 0}
        for n, premise in enumerate(["short", "long " * 400, "also short"])
    ]
    for language in ("en", "zh"):
        for task, rows, split in (("open_questions", open_rows, "test"), ("xcopa", closed, "test")):
            place = folder / task / language
            place.mkdir(parents=True)
            (place / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def with_nan(source: Path, target: Path) -> Path:
    shutil.copytree(source, target)
    held = load_file(target / "model.safetensors")
    held["model.layers.1.mlp.down_proj.weight"][0, 0] = float("nan")
    save_file(held, target / "model.safetensors", metadata={"format": "pt"})
    return target


def run(cli: Callable[..., Any], model: Path, data: Path, out: Path, *more: str) -> Any:
    done = cli("run", "--backbone", model, "--languages", "zh", "--data", data, "--identifier", "lid176", "--out", out, *more)
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.parametrize("engine", ["tree", "reference"])
def test_a_request_longer_than_the_window_has_no_score(
    cli: Callable[..., Any], data: Path, tiny_model_dir: Path, tmp_path: Path, engine: str
) -> None:
    done = run(cli, tiny_model_dir, data, tmp_path / "r", "--tasks", "xcopa", "--profile", "lm-eval", "--engine", engine)
    found = {(r["language"], _doc(tmp_path / "r", r)): r for r in records(tmp_path / "r", "score")}
    assert {key: r["state"] for key, r in found.items() if key[0] == "zh"} == {
        ("zh", 0): "ok",
        ("zh", 1): "truncated",
        ("zh", 2): "ok",
    }
    assert found["zh", 1]["metrics"] == {} and len(found["zh", 1]["loglikelihoods"]) == 2
    for cell in cells(tmp_path / "r"):
        assert (cell["n"], cell["failures"], cell["states"]) == (3, 1, {"ok": 2, "truncated": 1})
        assert cell["value"] in (0.0, 0.5, 1.0)
    for text in (done.stdout, (tmp_path / "r" / "report.md").read_text(), (tmp_path / "r" / "report.html").read_text()):
        assert SENTENCES["truncated"] in " ".join(html.unescape(text).split()), "the reason stands beside the table"
    again = run(cli, tiny_model_dir, data, tmp_path / "r", "--tasks", "xcopa", "--profile", "lm-eval", "--engine", engine)
    assert len(records(tmp_path / "r", "score")) == len(found) and again.returncode == 0


def _doc(run_folder: Path, record: dict[str, Any]) -> int:
    return {item["key"]: item["doc_id"] for item in records(run_folder, "items")}[record["item"]]


def test_logits_that_are_not_finite_are_no_answer(
    cli: Callable[..., Any], data: Path, tiny_model_dir: Path, tmp_path: Path
) -> None:
    broken = with_nan(tiny_model_dir, tmp_path / "nan")
    done = run(cli, broken, data, tmp_path / "r", "--tasks", "open_questions@mt-bench", "--max-new-tokens", "4")
    states = [r["state"] for r in records(tmp_path / "r", "answers")]
    assert set(states) == {"not_finite", "no_room"} and states.count("no_room") == 4
    for cell in cells(tmp_path / "r"):
        assert cell["value"] is None and cell["failures"] == cell["n"] == 2
        assert cell["states"] == {"not_finite": 1, "no_room": 1}
    assert all(v is None for r in records(tmp_path / "r", "identified") for v in r["metrics"].values())
    assert SENTENCES["not_finite"] in " ".join(done.stdout.split()) and SENTENCES["no_room"] in " ".join(done.stdout.split())


def test_an_answer_to_turn_one_keeps_its_own_number(
    cli: Callable[..., Any], data: Path, tiny_model_dir: Path, tmp_path: Path
) -> None:
    """A second turn that has no room takes nothing from the first one."""
    own = shutil.copytree(data, tmp_path / "data")
    rows = [{"question_id": 1, "category": "writing", "turns": ["你好吗?", "长" * 1500]}]
    for language in ("en", "zh"):
        (own / "open_questions" / language / "test.jsonl").write_text(json.dumps(rows[0]) + "\n")
    # A random model's answers are in no language that an identifier is sure of, so every label is trusted here.
    chosen = ("--tasks", "open_questions@mt-bench", "--max-new-tokens", "4", "--identifier", "lid176@0")
    run(cli, tiny_model_dir, own, tmp_path / "r", *chosen)
    by_metric = {(c["language"], c["metric"]): c for c in cells(tmp_path / "r")}
    assert by_metric["zh", "lf_turn1"]["value"] is not None and by_metric["zh", "lf_turn1"]["failures"] == 0
    assert by_metric["zh", "lf_response"]["value"] is None and by_metric["zh", "lf_response"]["states"] == {"no_room": 1}


@pytest.mark.parametrize("temperature", [0.0, 0.7])
@pytest.mark.parametrize("shared", [False, True])
def test_generation_stops_at_what_is_not_finite(tiny: LoadedBackbone, temperature: float, shared: bool) -> None:
    fine = [AnswerRequest((0, 70, 71), 5, temperature, seed=1), AnswerRequest((0, 72), 5, temperature, seed=2)]
    branches = [BASE_BRANCH, BASE_BRANCH] if shared else []
    assert all(a.finish in ("stop", "length") for a in generate_answers(tiny, fine, branches=branches))
    with torch.no_grad():
        tiny.model.lm_head.weight[5] = float("nan")
    broken = generate_answers(tiny, fine, branches=branches)
    assert [(a.finish, a.tokens, a.text) for a in broken] == [("not_finite", 0, "")] * 2


def test_a_continuation_that_fills_the_window_has_no_loglikelihood(tiny: LoadedBackbone) -> None:
    lm = LensLM(tiny)
    long, short = (("c", "t"), [5, 6], [7] * 1200), (("c", "t"), [5, 6], [7])
    (nothing, _), (some, _) = lm.score_tokens([long, short])
    assert nothing != nothing and some < 0
    assert lm.is_cut(long) and not lm.is_cut(short)
    edge = (("c", "t"), [5] * 1024, [7])
    assert not lm.is_cut(edge) and lm.is_cut((("c", "t"), [5] * 1025, [7]))
    tree = TreeScorer(tiny, max_length=lm.max_length)
    whole = next(iter(tree.score([edge]))).answers[0][0][0]
    assert whole == pytest.approx(lm.score_tokens([edge])[0][0], abs=1e-3)


def test_every_state_without_a_score_has_a_sentence() -> None:
    assert set(UNANSWERED) < set(UNSCORED) <= set(SENTENCES)


def test_every_state_without_a_score_has_its_reason_below_the_table() -> None:
    """Of fidelity cells too; a state that a later version adds is said by its name."""
    from table_runs import cell

    from lensbench.numbers.cell import Cell

    states = {"ok": 3, "only_reasoning": 2, "only_code": 1, "no_room": 1, "from_later": 1, "no_match": 4}
    shown = unscored_notes([Cell.of(cell("multiq", "sw", "lens", 0.5, metric="lf_turn1", n=12, failures=5, states=states))])
    assert [note.split(": ")[0] for note in shown] == [
        f"! no score and in no mean, {name}" for name in ("only reasoning", "only code", "no room", "from later")
    ]
    assert all(" of 12 in multiq/sw lens" in note for note in shown)
    assert shown[0].startswith("! no score and in no mean, only reasoning: the answer ended inside its reasoning: 2 of 12")


def test_every_state_has_a_sentence() -> None:
    """What scoring, checks of questions and identifiers write as a state, read from their code."""
    written = {EMPTY_CHOICE, EQUAL_CHOICES, ONLY_REASONING, *UNSCORED}
    assert written <= set(SENTENCES)
