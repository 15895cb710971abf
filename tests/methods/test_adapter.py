"""Adapters on disk: peft's own reader is the oracle; damage is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
from transformers import AutoModelForCausalLM

from lensbench.backbones.load import LoadedBackbone
from lensbench.errors import RunError, UsageError
from lensbench.methods.adapter import Adapter, load_weights
from lensbench.methods.sft import SftConfig
from lensbench.methods.sft.trainable import trainee

pytestmark = pytest.mark.skipif(find_spec("peft") is None, reason="needs peft")


@pytest.fixture
def adapter(tiny: LoadedBackbone) -> Adapter:
    """Random updates of two modules, large enough to be seen in the logits."""
    torch.manual_seed(3)
    tensors = {}
    for module in ("model.layers.2.self_attn.q_proj", "model.layers.3.mlp.down_proj"):
        out, into = tiny.model.get_submodule(module).weight.shape
        tensors[f"base_model.model.{module}.lora_A.weight"] = torch.randn(4, into)
        tensors[f"base_model.model.{module}.lora_B.weight"] = torch.randn(out, 4)
    settings = peft.LoraConfig(r=4, lora_alpha=2, target_modules=["q_proj", "down_proj"], task_type="CAUSAL_LM").to_dict()
    settings |= {"peft_type": "LORA", "target_modules": ["2.self_attn.q_proj", "3.mlp.down_proj"]}
    return Adapter("xsft", "tiny", tiny.checkpoint.digest, 2, tensors, settings, {"cost": {}, "languages": ["en", "zh"]})


def test_peft_reads_the_folder_and_gives_the_same_logits(tiny: LoadedBackbone, adapter: Adapter, tmp_path: Path) -> None:
    adapter.save(tmp_path / "a")
    ids = tiny.tokenizer("hello 你好", return_tensors="pt").input_ids
    untouched = tiny.model(ids).logits.detach()
    with adapter.applied(tiny, "zh"):
        ours = tiny.model(ids).logits.detach()
    assert torch.equal(tiny.model(ids).logits, untouched)
    plain = AutoModelForCausalLM.from_pretrained(tiny.checkpoint.path, dtype=torch.float32)
    theirs = peft.PeftModel.from_pretrained(plain, tmp_path / "a").eval()
    torch.testing.assert_close(theirs(ids).logits.detach(), ours, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(theirs.merge_and_unload()(ids).logits.detach(), ours, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(ours, untouched, atol=1e-2)


@pytest.mark.parametrize("target", ["embed_tokens", "lm_head"])
def test_only_linear_modules_with_a_weight_of_their_own_are_adapted(tiny: LoadedBackbone, target: str) -> None:
    tiny.model.config.tie_word_embeddings = True
    tiny.model.tie_weights()
    config = SftConfig(lora_rank=2, lora_targets=("q_proj", target))
    with pytest.raises(UsageError, match=f"{target} is no linear module with a weight of its own"), trainee(tiny, config):
        pass


def test_it_comes_back_as_it_was(tiny: LoadedBackbone, adapter: Adapter, tmp_path: Path) -> None:
    adapter.save(tmp_path / "a")
    back = load_weights(tmp_path / "a", tiny.checkpoint.digest)
    assert isinstance(back, Adapter) and back.digest == adapter.digest and back.card == adapter.card
    assert all(torch.equal(back.tensors[name], tensor) for name, tensor in adapter.tensors.items())


def test_damage_is_told(tiny: LoadedBackbone, adapter: Adapter, tmp_path: Path) -> None:
    folder = tmp_path / "a"
    adapter.save(folder)
    with pytest.raises(RunError, match="fitted on another backbone"):
        load_weights(folder, "0" * 64)
    settings = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(json.dumps({**settings, "lora_alpha": 64}))
    with pytest.raises(RunError, match="has changed since it was saved"):
        load_weights(folder, tiny.checkpoint.digest)
    (folder / "adapter_config.json").write_text("{")
    with pytest.raises(RunError, match="not a readable enhancement"):
        load_weights(folder, tiny.checkpoint.digest)
    adapter.save(folder)
    tensors = folder / "adapter_model.safetensors"
    tensors.write_bytes(tensors.read_bytes()[:-100])
    with pytest.raises(RunError, match="not a readable enhancement"):
        load_weights(folder, tiny.checkpoint.digest)


def test_a_run_keeps_an_adapter_and_merges_it(cli: Callable[..., Any], tiny_model_dir: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    command = (
        "run",
        "-m",
        "xsft",
        "-b",
        tiny_model_dir,
        "-l",
        "zh",
        "--data",
        "embedded",
        "-t",
        "xcopa",
        "--limit",
        "2",
        "--set",
        "n_aya=8",
        "--set",
        "n_bactrian=0",
        "--set",
        "max_length=256",
        "--set",
        "warmup_ratio=0",
        "--set",
        "lora_rank=2",
        "--set",
        "learning_rate=0.05",
        "--out",
        out,
    )
    done = cli(*command)
    assert done.returncode == 0, done.stderr
    home = out / "enhancements" / "xsft"
    assert (home / "adapter_model.safetensors").is_file() and not (home / "delta.safetensors").exists()
    # A second start loads it: the same scores under the same keys, so nothing is scored again.
    before = (out / "items" / "score.jsonl").read_bytes()
    assert cli(*command).returncode == 0
    assert (out / "items" / "score.jsonl").read_bytes() == before
    assert cli("merge", out, "--to", tmp_path / "merged").returncode == 0
    merged = AutoModelForCausalLM.from_pretrained(tmp_path / "merged", dtype=torch.float32)
    plain = AutoModelForCausalLM.from_pretrained(tiny_model_dir, dtype=torch.float32)
    found = Adapter.load(home, json.loads((home / "card.json").read_text())["backbone_digest"])
    for name, weight in found.merged(dict(plain.state_dict())):
        assert torch.equal(merged.state_dict()[name], weight)
