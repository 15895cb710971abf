"""A checkpoint that does not fill its model is refused by the names of the tensors, through every door."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import save_tiny_model
from safetensors.torch import load_file, save_file

from lensbench.backbones import get_backbone
from lensbench.backbones.exchange import exchanged
from lensbench.backbones.load import LoadedBackbone, check_loadable, load_backbone
from lensbench.backbones.resolve import find_checkpoint
from lensbench.errors import RunError, UnavailableError
from lensbench.methods.adapter import Adapter

Tensors = dict[str, Any]


def changed(source: Path, target: Path, change: Callable[[Tensors], Tensors]) -> Path:
    shutil.copytree(source, target)
    held = change(load_file(target / "model.safetensors"))
    save_file({k: v.clone() for k, v in held.items()}, target / "model.safetensors", metadata={"format": "pt"})
    return target


def load(folder: Path) -> LoadedBackbone:
    backbone = get_backbone(str(folder))
    return load_backbone(backbone, find_checkpoint(backbone), device="cpu", dtype="float32")


def without(held: Tensors, *names: str) -> Tensors:
    return {name: tensor for name, tensor in held.items() if name not in names}


UP = "model.layers.1.mlp.up_proj.weight"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            lambda w: {f"base_model.model.{k}": v for k, v in w.items()},
            r"lacks 39 tensors .*lm_head\.weight.*; 39 of its tensors belong",
        ),
        (
            lambda w: {("lm_head.0.weight" if k == "lm_head.weight" else k): v for k, v in w.items()},
            r"lacks 1 tensors of the model \(lm_head\.weight\); 1 of its tensors belong nowhere .*\(lm_head\.0\.weight\)",
        ),
        (lambda w: without(w, UP), rf"lacks 1 tensors of the model \({re.escape(UP)}\)"),
        (lambda w: {**without(w, UP), UP.replace(".weight", ".base_layer.weight"): w[UP]}, r"base_layer\.weight"),
        (
            lambda w: {**w, "model.layers.9.mlp.up_proj.weight": w[UP]},
            r"1 of its tensors belong nowhere in the model \(model\.layers\.9",
        ),
        (lambda w: {**w, UP: w[UP][:5]}, r"1 tensors have another shape than config.json says: model\.layers\.1\.mlp\.up_proj"),
    ],
    ids=["prefix", "head renamed", "one missing", "adapter's name", "one too many", "shape"],
)
def test_what_is_missing_or_left_over_is_named(
    tiny_model_dir: Path, tmp_path: Path, change: Callable[[Tensors], Tensors], says: str
) -> None:
    with pytest.raises(UnavailableError, match=says) as found:
        load(changed(tiny_model_dir, tmp_path / "m", change))
    assert str(tmp_path / "m") in found.value.message and len(found.value.message) < 2000


@pytest.mark.parametrize(("kind", "said"), [("int8", "I8"), ("bool", "BOOL"), ("float8_e4m3fn", "F8_E4M3")])
def test_packed_numbers_without_their_scale_are_no_weights(tiny_model_dir: Path, tmp_path: Path, kind: str, said: str) -> None:
    """transformers takes them as they are, and a number comes out."""
    with pytest.raises(UnavailableError, match=rf"1 tensors are of type {said} \({re.escape(UP)} in model\.safetensors\)"):
        load(changed(tiny_model_dir, tmp_path / "m", lambda w: {**w, UP: (w[UP] * 100).to(getattr(torch, kind))}))


@pytest.mark.parametrize("kind", ["bfloat16", "float16", "float64"])
def test_other_real_numbers_are_weights(tiny_model_dir: Path, tmp_path: Path, kind: str) -> None:
    load(changed(tiny_model_dir, tmp_path / "m", lambda w: {k: v.to(getattr(torch, kind)) for k, v in w.items()}))


def test_a_tensor_in_two_shards_is_refused(tiny_model_dir: Path, tmp_path: Path) -> None:
    """Which of the two transformers takes depends on the order of the files, not on the index."""
    shutil.copytree(tiny_model_dir, tmp_path / "m")
    held = load_file(tmp_path / "m" / "model.safetensors")
    (tmp_path / "m" / "model.safetensors").unlink()
    first, second = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
    save_file(without(held, UP), tmp_path / "m" / first, metadata={"format": "pt"})
    shard = {UP: held[UP], "lm_head.weight": held["lm_head.weight"] + 1}
    save_file(shard, tmp_path / "m" / second, metadata={"format": "pt"})
    index = {"weight_map": {name: second if name == UP else first for name in held}}
    (tmp_path / "m" / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(UnavailableError, match=rf"1 tensors lie in two files, such as 'lm_head\.weight' in {first} and {second}"):
        load(tmp_path / "m")


def test_more_blocks_than_the_weights_have(tiny_model_dir: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_model_dir, tmp_path / "m")
    config = json.loads((tmp_path / "m" / "config.json").read_text())
    (tmp_path / "m" / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 5}))
    with pytest.raises(UnavailableError, match=r"lacks 9 tensors of the model \(model\.layers\.4\."):
        load(tmp_path / "m")


def test_tied_weights_and_old_buffers_are_no_gap(tiny_model_dir: Path, tmp_path: Path) -> None:
    """Older checkpoints hold rotary frequencies for each layer, and tied models no head."""
    old = {f"model.layers.{n}.self_attn.rotary_emb.inv_freq": torch.ones(4) for n in range(4)}
    assert load(changed(tiny_model_dir, tmp_path / "old", lambda w: {**w, **old}))
    tied = changed(tiny_model_dir, tmp_path / "tied", lambda w: without(w, "lm_head.weight"))
    config = json.loads((tied / "config.json").read_text())
    (tied / "config.json").write_text(json.dumps({**config, "tie_word_embeddings": True}))
    model = load(tied).model
    assert model.lm_head.weight is model.model.embed_tokens.weight


def test_a_variant_is_refused_too(cli: Callable[..., Any], tiny_model_dir: Path, tmp_path: Path) -> None:
    broken = changed(tiny_model_dir, tmp_path / "broken", lambda w: without(w, UP))
    done = cli(
        "run",
        "--backbone",
        tiny_model_dir,
        "--variant",
        f"mine={broken}",
        "--tasks",
        "xcopa",
        "--languages",
        "zh",
        "--data",
        "embedded",
        "--limit",
        "1",
        "--profile",
        "lm-eval",
        "--out",
        tmp_path / "run",
    )
    assert done.returncode == 1 and UP in done.stderr and "Traceback" not in done.stderr, done.stderr


def test_an_enhancement_of_another_backbone_is_refused_by_name(tiny: LoadedBackbone) -> None:
    before = tiny.model.model.norm.weight.clone()
    wrong = [("model.norm.weight", torch.zeros(32)), ("model.layers.44.mlp.up_proj.weight", torch.zeros(2, 2))]
    with pytest.raises(RunError, match=r"model\.layers\.44\.mlp.*no such parameter"), exchanged(tiny, wrong):
        pass
    assert torch.equal(tiny.model.model.norm.weight, before), "what was exchanged before the error comes back"
    with (
        pytest.raises(RunError, match=r"model\.norm\.weight \[3\], the backbone has \[32\]"),
        exchanged(tiny, [("model.norm.weight", torch.zeros(3))]),
    ):
        pass
    stem = "base_model.model.model.layers.44.mlp.up_proj"
    parts = {f"{stem}.lora_A.weight": torch.zeros(2, 32), f"{stem}.lora_B.weight": torch.zeros(64, 2)}
    adapter = Adapter("sft", "tiny", "x", 0, parts, {"lora_alpha": 2, "r": 2})
    with pytest.raises(RunError, match=r"model\.layers\.44\.mlp\.up_proj\.weight \[64, 32\]"), adapter.applied(tiny, "en"):
        pass


def test_an_adapter_folder_is_no_model(tiny_model_dir: Path, tmp_path: Path) -> None:
    """transformers would load the base model that it names from elsewhere."""
    shutil.copytree(tiny_model_dir, tmp_path / "m")
    (tmp_path / "m" / "adapter_config.json").write_text('{"base_model_name_or_path": "other/model"}')
    with pytest.raises(UnavailableError, match="holds an adapter"):
        get_backbone(str(tmp_path / "m"))


def test_encoders_are_refused_before_weights_are_read(tmp_path: Path) -> None:
    from transformers import BertConfig, BertForMaskedLM

    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64, "vocab_size": 300}
    BertForMaskedLM(BertConfig(**sizes)).save_pretrained(tmp_path / "bert")
    backbone = get_backbone(str(tmp_path / "bert"))
    with pytest.raises(UnavailableError, match="not a causal language model; transformers has none of type 'bert'"):
        check_loadable(backbone, find_checkpoint(backbone))


def test_a_translators_weights_are_checked_too(tmp_path: Path) -> None:
    from transformers import AutoModelForSeq2SeqLM, M2M100Config, M2M100ForConditionalGeneration

    from lensbench.backbones.checkpoint import Checkpoint
    from lensbench.backbones.opening import open_model

    sizes = {
        "d_model": 16,
        "encoder_layers": 1,
        "decoder_layers": 1,
        "encoder_attention_heads": 2,
        "decoder_attention_heads": 2,
        "encoder_ffn_dim": 16,
        "decoder_ffn_dim": 16,
        "vocab_size": 40,
    }
    M2M100ForConditionalGeneration(M2M100Config(**sizes)).save_pretrained(tmp_path / "whole")
    gone = "model.decoder.layers.0.fc1.weight"
    broken = changed(tmp_path / "whole", tmp_path / "broken", lambda w: without(w, gone))

    def read(folder: Path) -> Any:
        return open_model(Checkpoint(folder, "local", str(folder), None, "x"), AutoModelForSeq2SeqLM, dtype=torch.float32)

    assert read(tmp_path / "whole")
    with pytest.raises(UnavailableError, match=re.escape(gone)):
        read(broken)


def test_sharded_weights_are_read_by_their_index(tmp_path: Path) -> None:
    folder = save_tiny_model(tmp_path / "m", layers=2)
    held = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = sorted(held)
    shards = {"model-1.safetensors": names[:8], "model-2.safetensors": names[8:]}
    for file, part in shards.items():
        save_file({name: held[name] for name in part}, folder / file, metadata={"format": "pt"})
    index = {"metadata": {}, "weight_map": {name: file for file, part in shards.items() for name in part}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert load(folder)
    index["weight_map"]["lm_head.weight"] = "../m2.safetensors"
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(UnavailableError, match=r"'lm_head\.weight' lies in '\.\./m2\.safetensors'"):
        get_backbone(str(folder))


@pytest.mark.parametrize(
    ("kind", "key", "value"),
    [
        ("llama", "intermediate_size", 2**23),
        ("llama", "num_hidden_layers", 10**9),
        ("llama", "hidden_size", -32),
        ("mixtral", "num_local_experts", 10**9),
        ("gpt2", "n_layer", 10**8),
        ("llama", "num_hidden_layers", True),
    ],
)
def test_sizes_that_the_weights_cannot_have_take_no_time(
    tiny_model_dir: Path, tmp_path: Path, kind: str, key: str, value: Any
) -> None:
    shutil.copytree(tiny_model_dir, tmp_path / "m")
    config = json.loads((tmp_path / "m" / "config.json").read_text()) | {"model_type": kind, key: value}
    (tmp_path / "m" / "config.json").write_text(json.dumps(config))
    started = time.monotonic()
    with pytest.raises(UnavailableError, match="could not load"):
        load(tmp_path / "m")
    assert time.monotonic() - started < 10
