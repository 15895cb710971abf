"""A merged folder is a plain model with the variant's logits."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from lensbench.backbones import get_backbone
from lensbench.backbones.load import load_backbone
from lensbench.backbones.resolve import find_checkpoint
from lensbench.methods.delta import Delta


@pytest.fixture(scope="module")
def run(cli: Callable[..., Any], tiny_model_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("merge") / "run"
    done = cli(
        "run",
        "-m",
        "lens",
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
        "n_probe=8",
        "--set",
        "n_parallel=16",
        "--set",
        "warmup_ratio=0",
        "--set",
        "learning_rate=0.01",
        "--out",
        out,
    )
    assert done.returncode == 0, done.stderr
    return out


def test_plain_transformers_gives_the_variants_logits(
    cli: Callable[..., Any], run: Path, tiny_model_dir: Path, tmp_path: Path
) -> None:
    done = cli("merge", run, "--to", tmp_path / "merged")
    assert done.returncode == 0, done.stderr
    from transformers import AutoModelForCausalLM, AutoTokenizer

    plain = AutoModelForCausalLM.from_pretrained(tmp_path / "merged", dtype=torch.float32)
    ids = torch.tensor([AutoTokenizer.from_pretrained(tmp_path / "merged").encode("你好 and hello")])
    backbone = get_backbone(str(tiny_model_dir))
    loaded = load_backbone(backbone, find_checkpoint(backbone), device="cpu", dtype="float32")
    delta = Delta.load(run / "enhancements" / "lens", loaded.checkpoint.digest)
    with torch.no_grad():
        untouched = loaded.model(ids).logits
        with delta.applied(loaded, "zh"):
            enhanced = loaded.model(ids).logits
        merged = plain(ids).logits
    assert torch.equal(merged, enhanced) and not torch.equal(merged, untouched)
    assert json.loads((tmp_path / "merged" / "lensbench.json").read_text())["variant"] == "lens"


def test_what_cannot_be_merged_is_said(cli: Callable[..., Any], run: Path, tmp_path: Path) -> None:
    done = cli("merge", run, "--variant", "lense", "--to", tmp_path / "a")
    assert (done.returncode, "Did you mean 'lens'?" in done.stderr) == (2, True)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "file").write_text("x")
    done = cli("merge", run, "--to", tmp_path / "b")
    assert (done.returncode, "not an empty folder" in done.stderr) == (2, True)
