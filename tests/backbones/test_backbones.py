"""Backbones: names, presets, and the order in which their files are looked for."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lensbench.backbones import backbones, get_backbone
from lensbench.backbones.folder import check_folder
from lensbench.backbones.load import LoadedBackbone, pick_device
from lensbench.backbones.resolve import find_checkpoint
from lensbench.errors import LensbenchError, UnavailableError, UsageError
from lensbench.methods.lens.config import LensConfig

PAPER = {  # Tables 2 and 3 of arXiv 2410.04407: bilingual start and strength; multilingual start and strengths
    "llama3-8b": (31, 1.0, 29, [1, 0.6, 1, 0.5, 0.2, 0.2]),
    "llama3.1-8b": (30, 0.05, 30, [0.01, 0.01, 0.03, 0.01, 0.01, 0.01]),
    "phi3.5-mini": (27, 0.3, 29, [0.2] * 6),
}


@pytest.mark.parametrize("name", PAPER)
def test_presets_are_the_papers(name: str) -> None:
    start, strength, start_all, strengths = PAPER[name]
    two = LensConfig.model_validate(get_backbone(name).preset("lens", 1))
    assert (two.start_layer, two.strength_of("zh")) == (start, strength)
    seven = LensConfig.model_validate(get_backbone(name).preset("lens", 6))
    assert seven.start_layer == start_all
    assert [seven.strength_of(c) for c in ("zh", "ja", "ko", "ar", "bn", "sw")] == strengths
    assert (two.learning_rate, two.epochs, two.batch_size, two.warmup_ratio) == (1e-5, 1, 8, 0.05)
    # 31 in the paper's table is block 30 counted from 0: two of 32 blocks.
    if name == "llama3-8b":
        assert two.start_index(32) == 30


def test_a_folder_is_a_backbone(tiny_model_dir: Path) -> None:
    backbone = get_backbone(str(tiny_model_dir))
    checkpoint = find_checkpoint(backbone)
    assert checkpoint.kind == "local" and len(checkpoint.digest) == 64


def test_a_local_shelf_comes_first(tiny_model_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LENSBENCH_MODELS", str(tiny_model_dir.parent))
    smol = get_backbone("smollm2-135m")
    (tiny_model_dir.parent / "smollm2-135m").symlink_to(tiny_model_dir)
    try:
        assert find_checkpoint(smol).kind == "local"
    finally:
        (tiny_model_dir.parent / "smollm2-135m").unlink()


def test_digest_changes_with_the_weights(tmp_path: Path) -> None:
    from conftest import save_tiny_model

    one = find_checkpoint(get_backbone(str(save_tiny_model(tmp_path / "a", seed=1)))).digest
    same = find_checkpoint(get_backbone(str(save_tiny_model(tmp_path / "b", seed=1)))).digest
    other = find_checkpoint(get_backbone(str(save_tiny_model(tmp_path / "c", seed=2)))).digest
    assert one == same != other


def test_unknown_names() -> None:
    with pytest.raises(UsageError, match=r"unknown backbone 'llama3-8'\n.*Did you mean 'llama3-8b'"):
        get_backbone("llama3-8")
    with pytest.raises(UsageError, match="no model folder"):
        get_backbone("./nowhere/model")
    externals = {f"chinese-llama3-8b-v{n}" for n in (1, 2, 3)}
    assert set(backbones()) == {"smollm2-135m", "llama3-8b", "llama3-70b", "llama3.1-8b", "phi3.5-mini"} | externals


def test_a_folder_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no config\.json"):
        get_backbone(str(tmp_path))
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"pickled")
    with pytest.raises(UnavailableError, match=r"no \.safetensors"):
        find_checkpoint(get_backbone(str(tmp_path)))


def test_a_tokenizers_digest_does_not_hang_on_what_was_encoded_before(tiny: LoadedBackbone) -> None:
    tiny.tokenizer.backend_tokenizer.enable_truncation(7)
    before = tiny.tokenizer_digest
    del tiny.tokenizer_digest
    tiny.tokenizer("hello", truncation=False, padding=False)
    assert tiny.tokenizer.backend_tokenizer.truncation is None
    assert tiny.tokenizer_digest == before


@pytest.mark.parametrize("device", ["cdua", "cuda:x", "hpu", "meta"])
def test_a_device_that_cannot_hold_the_model_is_refused(device: str) -> None:
    with pytest.raises(UsageError, match=f"device={device} cannot be used here: ."):
        pick_device(device)
    assert pick_device("cpu") == "cpu"


@pytest.mark.parametrize("option", ["--backbone", "--variant"])
def test_what_is_no_model_folder_says_what_to_do(
    cli: Callable[..., Any], tiny_model_dir: Path, tmp_path: Path, option: str
) -> None:
    (tmp_path / "model.Q4_K_M.gguf").write_bytes(b"GGUF")
    (tmp_path / "gguf").mkdir()
    (tmp_path / "gguf" / "a.gguf").write_bytes(b"GGUF")
    (tmp_path / "adapter").mkdir()
    (tmp_path / "adapter" / "adapter_config.json").write_text("{}")
    (tmp_path / "outer" / "model").mkdir(parents=True)
    (tmp_path / "outer" / "model" / "config.json").write_text("{}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    expected = {
        "model.Q4_K_M.gguf": "GGUF",
        "gguf": "GGUF",
        "adapter": "merge_and_unload",
        "outer": "Did you mean",
        "gone.gguf": "no model",
        "pytorch_model.bin": "the folder that holds it",
    }
    for name, says in expected.items():
        place = str(tmp_path / name)
        words = ("--backbone", place) if option == "--backbone" else ("--backbone", tiny_model_dir, "--variant", f"ad={place}")
        done = cli("run", *words, "--data", "embedded", "--dry-run")
        assert done.returncode == 2 and says in done.stderr and "Traceback" not in done.stderr, done.stderr
    here = cli("run", "--backbone", "model.Q4_K_M.gguf", "--data", "embedded", "--dry-run", cwd=tmp_path)
    assert here.returncode == 2 and "Convert it" in here.stderr


@pytest.mark.parametrize("name", ["num_key_value_heads", "head_dim"])
def test_a_size_that_is_no_number_is_refused_by_name(name: str, tiny_model_dir: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny_model_dir, folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, name: [1, 2]}))
    with pytest.raises(LensbenchError, match=name):
        get_backbone(str(folder))


@pytest.mark.parametrize("name", ["generation_config.json", "config.json"])
@pytest.mark.parametrize("ends", ["\u202e", "1", 1.5, True, {"a": 1}, [1, "x"], [[1]]])
def test_a_token_that_ends_answers_and_is_no_number_is_refused(
    name: str, ends: object, tiny_model_dir: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny_model_dir, folder)
    settings = json.loads((folder / name).read_text())
    (folder / name).write_text(json.dumps({**settings, "eos_token_id": ends}))
    with pytest.raises(LensbenchError, match=f"{name}: eos_token_id"):
        check_folder(folder)


@pytest.mark.parametrize("ends", [None, 1, [1, 2], []])
def test_tokens_that_end_answers(ends: object, tiny_model_dir: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny_model_dir, folder)
    settings = json.loads((folder / "generation_config.json").read_text())
    (folder / "generation_config.json").write_text(json.dumps({**settings, "eos_token_id": ends}))
    check_folder(folder)
