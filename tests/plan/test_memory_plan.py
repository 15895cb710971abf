"""Planned memory: sizes against transformers' own models without weights, floors against what fits report."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import save_tiny_model
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import LlamaConfig, LlamaForCausalLM, Phi3Config, Phi3ForCausalLM

from lensbench.backbones import get_backbone
from lensbench.backbones.shape import Shape, shape_of_folder
from lensbench.methods import config_model

# The papers' counts: table 5 of arXiv 2410.04407 has 5.43% of LLaMA-3-8B for two blocks.
PUBLISHED = {"llama3-8b": 8_030_261_248, "llama3.1-8b": 8_030_261_248, "llama3-70b": 70_553_706_496, "phi3.5-mini": 3_821_079_552}


def model_without_weights(shape: Shape) -> torch.nn.Module:
    kinds = {"llama": (LlamaConfig, LlamaForCausalLM), "phi3": (Phi3Config, Phi3ForCausalLM)}
    config, model = kinds[shape.family]
    values = {
        "num_hidden_layers": shape.layers,
        "hidden_size": shape.hidden,
        "intermediate_size": shape.intermediate,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "vocab_size": shape.vocabulary,
        "head_dim": shape.head_dim,
        "tie_word_embeddings": shape.tied,
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 2,
    }
    with torch.device("meta"):
        return model(config(**values))


@settings(max_examples=25, deadline=None)
@given(
    family=st.sampled_from(["llama", "phi3"]),
    layers=st.integers(1, 3),
    groups=st.integers(1, 3),
    kv_heads=st.integers(1, 3),
    head_dim=st.sampled_from([4, 8]),
    intermediate=st.integers(3, 40),
    vocabulary=st.integers(5, 50),
    tied=st.booleans(),
)
def test_sizes_are_those_of_the_model(
    family: Any, layers: int, groups: int, kv_heads: int, head_dim: int, intermediate: int, vocabulary: int, tied: bool
) -> None:
    heads = groups * kv_heads
    shape = Shape(
        family=family,
        layers=layers,
        hidden=heads * head_dim,
        intermediate=intermediate,
        heads=heads,
        kv_heads=kv_heads,
        head_dim=head_dim,
        vocabulary=vocabulary,
        tied=tied,
    )
    model = model_without_weights(shape)
    assert sum(p.numel() for p in model.parameters()) == shape.parameters
    assert sum(p.numel() for p in model.model.layers[0].parameters()) == shape.block_parameters
    linears = {name: m for name, m in model.model.layers[0].named_modules() if isinstance(m, torch.nn.Linear)}
    assert {name.split(".")[-1]: (m.in_features, m.out_features) for name, m in linears.items()} == shape.linears


@pytest.mark.parametrize(("name", "parameters"), PUBLISHED.items())
def test_known_backbones(name: str, parameters: int) -> None:
    shape = get_backbone(name).shape
    assert shape is not None and shape.parameters == parameters
    assert sum(p.numel() for p in model_without_weights(shape).parameters()) == parameters
    if name == "llama3-8b":
        assert round(2 * shape.block_parameters / shape.parameters, 4) == 0.0543


def test_floors_are_what_fits_report(cli: Callable[..., Any], tiny_model_dir: Path, tmp_path: Path) -> None:
    shape = shape_of_folder(tiny_model_dir)
    assert shape is not None
    out = tmp_path / "run"
    done = cli(
        "run",
        "-m",
        "lens,xsft,qalign",
        "-b",
        tiny_model_dir,
        "-l",
        "zh",
        "--data",
        "embedded",
        "-t",
        "xcopa",
        "--limit",
        "1",
        "--set",
        "lens.n_probe=8",
        "--set",
        "lens.n_parallel=8",
        "--set",
        "lens.warmup_ratio=0",
        "--set",
        "lens.start_layer=last:2",
        "--set",
        "xsft.n_aya=4",
        "--set",
        "xsft.n_bactrian=0",
        "--set",
        "xsft.max_length=256",
        "--set",
        "xsft.warmup_ratio=0",
        "--set",
        "qalign.n_pairs=8",
        "--set",
        "qalign.warmup_ratio=0",
        "--set",
        "qalign.lora_rank=4",
        "--out",
        out,
    )
    assert done.returncode == 0, done.stderr
    for name in ("lens", "xsft", "qalign"):
        card = json.loads((out / "enhancements" / name / "card.json").read_text())
        assert config_model(name)[0](**card["config"]).floor_bytes(shape, 4) == card["cost"]["floor_bytes"], name


def test_a_dry_run_plans_8b_and_70b_and_says_that_it_is_a_plan(cli: Callable[..., Any]) -> None:
    found = {}
    for name in ("llama3-8b", "llama3-70b"):
        command = ("run", "-m", "lens,xsft", "-b", name, "--set", "lens.start_layer=last:2", "--data", "embedded", "--dry-run")
        done = cli(*command)
        assert done.returncode == 0, done.stderr
        assert "a plan, not a measurement" in done.stdout
        found[name] = json.loads(cli(*command, "--json").stdout)["planned_memory"]
    # By hand: 16 bytes for each of the parameters; and 2 for those that LENS leaves alone.
    assert found["llama3-8b"]["fits"]["xsft"] == 16 * PUBLISHED["llama3-8b"]
    assert found["llama3-8b"]["fits"]["lens"] == 2 * PUBLISHED["llama3-8b"] + 14 * 2 * 218_112_000
    assert found["llama3-70b"]["fits"]["lens"] == 2 * PUBLISHED["llama3-70b"] + 14 * 2 * 855_654_400


def test_sizes_that_cannot_be_known_are_not_made_up(cli: Callable[..., Any]) -> None:
    done = cli("run", "-b", "someone/else", "-t", "xcopa", "--data", "embedded", "--dry-run")
    assert done.returncode == 0 and "not known before the backbone is fetched" in done.stdout


def test_a_model_folder_of_an_unknown_family_does_not_wait_for_a_download(cli: Callable[..., Any], tmp_path: Path) -> None:
    model = save_tiny_model(tmp_path / "model")
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps({**config, "model_type": "qwen2", "architectures": ["Qwen2ForCausalLM"]}))
    done = cli("run", "-b", model, "-t", "xcopa", "--data", "embedded", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "not known for this backbone: its sizes are known for" in done.stdout and "before the backbone" not in done.stdout
