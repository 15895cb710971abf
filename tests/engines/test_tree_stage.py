"""The scoring stage with either engine: same answers, ties counted, a run that goes on finds the same bits."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from small_rows import write_small_data
from transformers import AutoConfig, AutoModelForCausalLM
from tree_stage import asked, engine_over, variants

from lensbench.backbones.load import LoadedBackbone
from lensbench.engines.layer_sharing import branch_of_variant
from lensbench.engines.noise import could_change, is_tied, largest_noise
from lensbench.engines.reference.lm import LensLM
from lensbench.engines.tree.engine import measure_noise
from lensbench.engines.tree.lm import TreeLM
from lensbench.engines.tree.scorer import TreeScorer
from lensbench.methods.base import SilentProgress
from lensbench.plan.task_items import TaskItems
from lensbench.records import RecordLog
from lensbench.records.log import read_objects
from lensbench.spec import BASE
from lensbench.stages.score import score_stage
from lensbench.stages.variants import Variant


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_data(tmp_path_factory.mktemp("data"), items=14, questions=2)


def records(
    loaded: LoadedBackbone, tasks: list[TaskItems], path: Path, engine: str, batch_size: int = 4
) -> tuple[dict[str, dict[str, Any]], list[str]]:
    progress = SilentProgress()
    with RecordLog(path) as log:
        score_stage(engine_over(loaded, engine, batch_size), variants(loaded), tasks, log, progress)
    return {record["key"]: record for _, record in read_objects(path)}, progress.notes


@pytest.mark.parametrize("profile", ["lens-paper", "lm-eval"])
def test_both_engines_give_the_same_records(tiny: LoadedBackbone, data: Path, tmp_path: Path, profile: str) -> None:
    tasks = asked(tiny, data, profile)
    slow, _ = records(tiny, tasks, tmp_path / "slow", "reference")
    fast, notes = records(tiny, tasks, tmp_path / "fast", "tree")
    assert slow.keys() == fast.keys() and len(fast) == 4 * sum(len(task.items) for task in tasks)
    for key, record in fast.items():
        expected = slow[key]
        assert record["loglikelihoods"] == pytest.approx(expected["loglikelihoods"], abs=2e-5, rel=5e-7)
        assert record["tied"] or record["metrics"] == expected["metrics"]
        same = set(expected) - {"loglikelihoods", "tied", "metrics"}
        assert {name: record[name] for name in same} == {name: expected[name] for name in same}
    assert not [note for note in notes if "reference engine" in note]


def test_a_plugin_with_hooks_of_its_own_is_scored_alone(tiny: LoadedBackbone, data: Path, tmp_path: Path) -> None:
    class Hooked:
        """Scales a block's output everywhere, by a hook that tells nobody."""

        first_changed_layer, mergeable, digest = 2, False, "hooked"

        @contextmanager
        def applied(self, loaded: LoadedBackbone, language: str) -> Iterator[None]:
            handle = loaded.blocks[2].register_forward_hook(lambda module, inputs, output: output * 1.5)
            yield
            handle.remove()

    tasks = asked(tiny, data, "lm-eval", ("xcopa",))[:1]
    scores = {}
    for engine in ("tree", "reference"):
        progress = SilentProgress()
        with RecordLog(tmp_path / engine) as log:
            both = [Variant(BASE), Variant("hooked", Hooked())]  # type: ignore[arg-type]
            score_stage(engine_over(tiny, engine), both, tasks, log, progress)
        scores[engine] = {(r["item"], r["variant"]): r["loglikelihoods"] for _, r in read_objects(tmp_path / engine)}
        expected = ["the reference engine scores hooked: it changes the backbone in a way of its own"] if engine == "tree" else []
        assert [note for note in progress.notes if "reference engine" in note] == expected
    for (item, variant), lls in scores["tree"].items():
        assert lls == pytest.approx(scores["reference"][item, variant], abs=2e-5, rel=5e-7)
        assert variant == BASE or lls != pytest.approx(scores["tree"][item, BASE], abs=1e-2)


def test_english_is_bit_for_bit_what_an_idle_intervention_scores(tiny: LoadedBackbone, data: Path, tmp_path: Path) -> None:
    found, _ = records(tiny, asked(tiny, data, "lm-eval"), tmp_path / "log", "tree")
    english = {(r["item"], r["variant"]): r["loglikelihoods"] for r in found.values() if r["language"] == "en"}
    assert all(english[item, "incline"] == lls for (item, variant), lls in english.items() if variant == BASE)


def test_a_run_that_goes_on_finds_the_same_bits(tiny: LoadedBackbone, data: Path, tmp_path: Path) -> None:
    tasks = asked(tiny, data, "lm-eval")
    whole, _ = records(tiny, tasks, tmp_path / "whole", "tree", batch_size=1)
    lines = (tmp_path / "whole").read_bytes().splitlines(keepends=True)
    for kept in (1, 17, len(lines) - 3):
        path = tmp_path / f"cut{kept}"
        path.write_bytes(b"".join(lines[:kept]) + lines[kept][:20])
        again, _ = records(tiny, tasks, path, "tree", batch_size=1)
        assert again == whole


def test_nothing_is_computed_when_nothing_is_missing(
    tiny: LoadedBackbone, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = asked(tiny, data, "lm-eval")
    whole, _ = records(tiny, tasks, tmp_path / "log", "tree")
    monkeypatch.setattr(LoadedBackbone, "decoder", property(lambda self: pytest.fail("the model was asked")))
    assert records(tiny, tasks, tmp_path / "log", "tree") == (whole, [])


def test_a_model_that_cannot_be_packed_is_scored_by_the_reference(tiny: LoadedBackbone, data: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = AutoConfig.for_model(
        "stablelm",
        vocab_size=300,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
    )
    other = dataclasses.replace(tiny, model=AutoModelForCausalLM.from_config(config).eval())
    progress = SilentProgress()
    tasks = asked(other, data, "lm-eval")
    with RecordLog(tmp_path / "log") as log:
        score_stage(engine_over(other), [Variant(BASE)], tasks, log, progress)
        assert len(log) == sum(len(task.items) for task in tasks)
    assert [note for note in progress.notes if "reference engine" in note] == [
        "the reference engine scores base: models of type 'stablelm' are not known to the tree engine"
    ]


def test_an_engine_that_reads_the_model_wrongly_is_found_out(
    tiny: LoadedBackbone, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lensbench.engines.tree import attention

    real = attention.RowTensors._mask
    monkeypatch.setattr(attention.RowTensors, "_mask", lambda self, *args: torch.zeros_like(real(self, *args)))
    tasks = asked(tiny, data, "lm-eval")
    found, notes = records(tiny, tasks, tmp_path / "wrong", "tree")
    monkeypatch.undo()
    assert any("nats off on this model" in note for note in notes)
    expected, _ = records(tiny, tasks, tmp_path / "slow", "reference")
    assert found == expected


@pytest.mark.parametrize(
    ("scores", "noise", "tied"),
    [
        ([-1.0, -2.0], 0.4, False),
        ([-1.0, -2.0], 0.5, True),
        ([-3.0, -1.0, -1.0], 0.0, True),
        ([-3.0, -3.0, -1.0], 0.9, False),
        ([-1.0], 9.0, False),
    ],
)
def test_tied_is_a_margin_of_at_most_twice_the_noise(scores: list[float], noise: float, tied: bool) -> None:
    assert is_tied(scores, noise) == tied


def test_a_metric_by_length_has_margins_of_its_own() -> None:
    lengths, gold = (1, 10), 0

    def score(answers: list[tuple[float, bool]]) -> dict[str, float]:
        each = [ll / n for (ll, _), n in zip(answers, lengths, strict=True)]
        return {"acc_norm": float(each.index(max(each)) == gold)}

    close, clear = [(-1.0, False), (-10.05, False)], [(-1.0, False), (-14.0, False)]
    assert not is_tied([ll for ll, _ in close], 0.1)
    assert could_change(score(close), close, 0.1, score)
    assert not could_change(score(clear), clear, 0.1, score)


def test_equal_choices_are_tied_and_counted(tiny: LoadedBackbone, data: Path, tmp_path: Path) -> None:
    task = asked(tiny, data, "lm-eval", ("xcopa",))[0]
    first = task.items[0]
    same = dataclasses.replace(first, requests=(first.requests[0], first.requests[0]))
    for engine in ("tree", "reference"):
        progress = SilentProgress()
        with RecordLog(tmp_path / engine) as log:
            changed = dataclasses.replace(task, items=(same, *task.items[1:]))
            score_stage(engine_over(tiny, engine), [Variant(BASE)], [changed], log, progress)
        tied = [record["item"] for _, record in read_objects(tmp_path / engine) if record["tied"]]
        assert first.id in tied
        assert any(note.startswith(f"{len(tied)} of {len(task.items)} scores are tied") for note in progress.notes)


def test_noise_is_the_largest_difference_and_never_nothing(tiny: LoadedBackbone) -> None:
    lm = LensLM(tiny)
    requests = [lm.token_request("The cat sat on", f" the {word}.") for word in ("mat", "chair", "old door")]
    engine = TreeScorer(tiny, max_length=lm.max_length)
    fast = [found for scored in engine.score(requests) for found in zip(scored.requests, scored.answers[0], strict=True)]
    slow = lm.score_tokens(requests)
    differences = [abs(answer[0] - slow[index][0]) for index, answer in fast]
    assert measure_noise(lm, engine, requests) >= max(differences)
    assert 0 < measure_noise(lm, engine, requests[:1]) < largest_noise(torch.float32)
    broken = SimpleNamespace(score_tokens=lambda wanted: [(math.nan, False)] * len(wanted))
    assert math.isnan(measure_noise(broken, engine, requests))  # type: ignore[arg-type]


def test_the_noise_of_a_run_is_that_of_its_interventions_too(
    tiny: LoadedBackbone, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lensbench.engines.tree import engine as tree

    seen: list[tuple[bool, float]] = []

    def measure(*args: Any) -> float:
        seen.append((len(args) > 3 and args[3].is_patch, measure_noise(*args)))
        return seen[-1][1]

    monkeypatch.setattr(tree, "measure_noise", measure)
    records(tiny, asked(tiny, data, "lm-eval"), tmp_path / "log", "tree")
    # Two tasks in Chinese; in English the intervention is the backbone.
    assert [is_patch for is_patch, _ in seen] == [False, True, True]
    assert [noise for _, noise in seen] == sorted(noise for _, noise in seen)
    lm, branch = LensLM(tiny), branch_of_variant(tiny, variants(tiny)[3], "zh")
    assert branch is not None and branch.is_patch
    engine = TreeScorer(tiny, max_length=lm.max_length)
    requests = [lm.token_request("The cat sat on", f" the {word}.") for word in ("mat", "chair", "old door")]
    fast = [
        found for scored in engine.score(requests, [branch]) for found in zip(scored.requests, scored.answers[0], strict=True)
    ]
    with branch.applied():
        slow = lm.score_tokens(requests)
    assert measure_noise(lm, engine, requests, branch) >= max(abs(answer[0] - slow[index][0]) for index, answer in fast)
    assert measure_noise(lm, engine, requests, branch, 1.0) == 1.0


@pytest.mark.parametrize("profile", ["lens-paper", "lm-eval"])
def test_embedded_tasks_through_a_real_tokenizer(tiny: LoadedBackbone, profile: str) -> None:
    """Real rows and SmolLM2's tokenizer on a small random model of its vocabulary."""
    from transformers import AutoTokenizer

    from lensbench.backbones import get_backbone
    from lensbench.backbones.resolve import find_checkpoint

    backbone = get_backbone("smollm2-135m")
    tokenizer = AutoTokenizer.from_pretrained(find_checkpoint(backbone).path)
    torch.manual_seed(0)
    config = AutoConfig.for_model(
        "llama",
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=2048,
    )
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
    loaded = dataclasses.replace(tiny, backbone=backbone, model=model, tokenizer=tokenizer)
    tree, reference = TreeLM(loaded), LensLM(loaded)
    for task in asked(loaded, "embedded", profile, ("xcopa", "xwinograd", "xstory_cloze", "m_mmlu")):
        first_token = task.planned.task.profile.scoring == "first_token"
        requests = [reference.token_request(*r, first_token=first_token) for item in task.items[:6] for r in item.requests]
        for (ll, greedy), expected in zip(tree.score_tokens(requests), reference.score_tokens(requests), strict=True):
            assert ll == pytest.approx(expected[0], abs=1e-4, rel=1e-6)
            assert greedy == expected[1]
    assert tree.scorer.counts.forwarded_tokens <= 1.05 * tree.scorer.counts.unique_tokens
