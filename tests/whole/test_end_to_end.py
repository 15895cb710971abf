"""SmolLM2-135M with real rows: the model resolves, LENS holds its invariants on real states, a run resumes, lm-eval reads it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from lensbench.backbones import get_backbone
from lensbench.backbones.checkpoint import Checkpoint
from lensbench.backbones.load import LoadedBackbone, load_backbone
from lensbench.backbones.resolve import find_checkpoint
from lensbench.datasets.sources import open_data
from lensbench.errors import UnavailableError
from lensbench.methods.base import SilentProgress
from lensbench.methods.delta import Delta
from lensbench.methods.lens import METHOD, LensConfig


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    try:
        return find_checkpoint(get_backbone("smollm2-135m"))
    except UnavailableError as error:
        pytest.skip(f"SmolLM2-135M is not to be had here: {error.message}")


@pytest.fixture(scope="module")
def smollm(checkpoint: Checkpoint) -> LoadedBackbone:
    return load_backbone(get_backbone("smollm2-135m"), checkpoint, device="cpu", dtype="auto")


@pytest.fixture(scope="module")
def fitted(smollm: LoadedBackbone, imported: Path) -> tuple[Delta, dict[str, torch.Tensor]]:
    """LENS on the authors' own samples (some of them, seven languages), and the backbone's tensors from before."""
    before = {name: parameter.detach().clone() for name, parameter in smollm.model.named_parameters()}
    config = LensConfig(
        start_layer="last:2", learning_rate=2e-4, push_strength=0.5, n_probe=8, n_parallel=4, probe_tokens=32, batch_size=2
    )
    codes = ("en", "zh", "ja", "ko", "ar", "bn", "sw")
    data = METHOD.corpora(open_data(str(imported)), codes, config)
    return METHOD.fit(smollm, data, config, SilentProgress()), before


def test_the_model_is_the_one_we_mean(smollm: LoadedBackbone) -> None:
    assert len(smollm.blocks) == 30 and smollm.hidden_size == 576
    assert sum(p.numel() for p in smollm.model.parameters()) == 134_515_008
    ids = smollm.tokenizer("The capital of France is", return_tensors="pt").input_ids
    following = smollm.model(ids).logits[0, -1].argmax()
    assert smollm.tokenizer.decode([int(following)]) == " Paris"


@pytest.mark.real
def test_invariants_hold_on_real_states(fitted: tuple[Delta, dict[str, torch.Tensor]]) -> None:
    extras = fitted[0].extras
    agnostic, specific, directions = (extras[f"layer.30.{part}"] for part in ("agnostic", "specific", "directions"))
    assert specific.shape == (576, 6) and directions.shape == (6, 576)
    torch.testing.assert_close(specific.T @ specific, torch.eye(6, dtype=torch.float64), atol=1e-9, rtol=0)
    assert (specific.T @ agnostic).abs().max() < 1e-8
    # Directions lie in the specific subspace, and languages are told apart: no direction is nil.
    torch.testing.assert_close(directions @ specific @ specific.T, directions, atol=1e-8, rtol=0)
    assert directions.norm(dim=1).min() > 0.5


@pytest.mark.real
def test_frozen_tensors_are_byte_identical(fitted: tuple[Delta, dict[str, torch.Tensor]], smollm: LoadedBackbone) -> None:
    delta, before = fitted
    for name, parameter in smollm.model.named_parameters():
        assert torch.equal(parameter, before[name]), name
    assert {int(name.split(".")[2]) for name in delta.tensors} == {28, 29}
    assert sum(not torch.equal(tensor, before[name]) for name, tensor in delta.tensors.items()) == len(delta.tensors)


@pytest.mark.real
def test_the_push_moves_the_targets(fitted: tuple[Delta, dict[str, torch.Tensor]]) -> None:
    log = fitted[0].card["log"]
    # The first step warms up from a rate of nil, so the second still sees the untouched model: nothing to retain yet.
    assert len(log) == 2 and log[0]["push"] > 0 and log[0]["retention"] == pytest.approx(0, abs=1e-9)
    cost = fitted[0].card["cost"]
    assert cost["trainable_share"] == pytest.approx(2 * 3_540_096 / 134_515_008)


@pytest.mark.real
def test_a_run_on_real_rows_resumes_and_lm_eval_reads_it(checkpoint: Checkpoint, imported: Path, tmp_path: Path, cli) -> None:
    command = (
        "run",
        "--method",
        "lens",
        "--backbone",
        "smollm2-135m",
        "--languages",
        "zh",
        "--data",
        imported,
        "--limit",
        "6",
        "--tasks",
        "xcopa,xwinograd,m_mmlu,multiq",
        "--max-new-tokens",
        "16",
        "--set",
        "n_probe=8",
        "--set",
        "n_parallel=4",
        "--set",
        "epochs=1",
        "--set",
        "batch_size=2",
        "--set",
        "start_layer=last:1",
        "--out",
        tmp_path / "run",
    )
    first = cli(*command)
    assert first.returncode == 0, first.stderr
    assert "peak memory" in first.stderr and "asked language" in first.stdout
    lines = {p.name: p.read_bytes() for p in (tmp_path / "run" / "items").iterdir()}
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    again = cli(*command)
    assert again.returncode == 0, again.stderr
    assert {p.name: p.read_bytes() for p in (tmp_path / "run" / "items").iterdir()} == lines
    assert json.loads((tmp_path / "run" / "results.json").read_text()) == results

    cells = {(c["task"], c["language"], c["variant"], c["metric"]): c for c in results["cells"]}
    assert sum(metric in ("acc", "lf_turn1") for *_, metric in cells) == 4 * 2 * 2
    for cell in cells.values():
        assert cell["n"] == 6 and cell["failures"] == 0 and cell["low"] <= cell["value"] <= cell["high"]
        assert (cell["delta"] is None) == (cell["variant"] == "base")
        assert cell["signature"].startswith(f"{cell['task']}:{cell['language']}|")
    # What lm-eval would say of the samples file is what the cell says.
    # And the second start left one set of them.
    (written,) = (tmp_path / "run/lm_eval/lens").glob("samples_xcopa_zh*.jsonl")
    samples = [json.loads(x) for x in written.read_text().splitlines()]
    assert sum(s["acc"] for s in samples) / len(samples) == cells["xcopa", "zh", "lens", "acc"]["value"]
    best = [max(range(4), key=lambda i: float(s["filtered_resps"][i][0])) for s in samples]
    assert [float("ABCD"[b] == s["target"]) for b, s in zip(best, samples, strict=True)] == [s["acc"] for s in samples]

    shown = cli("show", tmp_path / "run", "--json")
    assert json.loads(shown.stdout)["cells"] == results["cells"]
