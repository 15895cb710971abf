"""All six methods on the real model with real rows, in one command: scores, reloading, merging, cost."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from lensbench.backbones import get_backbone
from lensbench.backbones.load import load_backbone
from lensbench.backbones.resolve import find_checkpoint
from lensbench.methods import load_method

pytestmark = [pytest.mark.slow, pytest.mark.real, pytest.mark.timeout(3600)]

METHODS = ("xsft", "xsft-full", "qalign", "sdrrl", "incline", "lens")
CONFIG = Path(__file__).parents[2] / "bench" / "six-methods.yaml"
MINUTES = 25


@pytest.fixture(scope="module")
def run(cli: Callable[..., Any], imported: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, tuple[Any, ...], float]:
    """The finished run, its command without --out, and its seconds."""
    out = tmp_path_factory.mktemp("six") / "run"
    command = (
        "run",
        "--method",
        ",".join(METHODS),
        "--backbone",
        "smollm2-135m",
        "--languages",
        "zh",
        "--config",
        CONFIG,
        "--data",
        imported,
        "--tasks",
        "xcopa,multiq",
        "--limit",
        "20",
        "--max-new-tokens",
        "64",
    )
    started = time.monotonic()
    done = cli(*command, "--out", out, timeout=2 * MINUTES * 60)
    seconds = time.monotonic() - started
    assert done.returncode == 0, done.stderr
    print(done.stdout, done.stderr, f"{seconds:.0f} s in all")
    return out, command, seconds


def test_one_command_one_table_in_time(run: tuple[Path, Any, float]) -> None:
    out, _, seconds = run
    results = json.loads((out / "results.json").read_text())
    assert list(results["variants"]) == ["base", *METHODS] and not results["failed"]
    cells = [c for c in results["cells"] if c["task"] == "xcopa" and c["metric"] == "acc"]
    assert len(cells) == 2 * 7 and all(c["n"] == c["planned"] == 20 for c in cells)
    assert seconds <= MINUTES * 60


def test_reloaded_enhancements_score_the_same(cli: Callable[..., Any], run: tuple[Path, Any, float], tmp_path: Path) -> None:
    out, command, _ = run
    again = tmp_path / "again"
    shutil.copytree(out, again)
    shutil.rmtree(again / "items")
    done = cli(*command, "--out", again, timeout=MINUTES * 60)
    assert done.returncode == 0, done.stderr
    assert (again / "items" / "score.jsonl").read_bytes() == (out / "items" / "score.jsonl").read_bytes()
    texts = [[json.loads(x)["text"] for x in (f / "items" / "answers.jsonl").open()] for f in (out, again)]
    assert sorted(texts[0]) == sorted(texts[1])


@pytest.mark.parametrize("name", METHODS)
def test_merged_folders_have_the_variants_logits(
    cli: Callable[..., Any], run: tuple[Path, Any, float], tmp_path: Path, name: str
) -> None:
    from transformers import AutoModelForCausalLM

    out = run[0]
    done = cli("merge", out, "--variant", name, "--to", tmp_path / "merged")
    if name == "incline":
        assert done.returncode == 2 and "cannot be merged" in done.stderr
        return
    assert done.returncode == 0, done.stderr
    plain = AutoModelForCausalLM.from_pretrained(tmp_path / "merged", dtype=torch.float32)
    backbone = get_backbone("smollm2-135m")
    loaded = load_backbone(backbone, find_checkpoint(backbone), device="cpu", dtype="float32")
    enhancement = load_method(name).load(out / "enhancements" / name, loaded.checkpoint.digest)
    ids = loaded.tokenizer("你好，请问今天的天气怎么样？ Hello!", return_tensors="pt").input_ids
    with torch.no_grad():
        untouched = loaded.model(ids).logits
        with enhancement.applied(loaded, "zh"):
            enhanced = loaded.model(ids).logits
        assert torch.equal(plain(ids).logits, enhanced)
    assert not torch.equal(enhanced, untouched)


def test_lens_is_three_times_cheaper_than_full_fine_tuning(cli: Callable[..., Any], imported: Path, tmp_path: Path) -> None:
    """128 items each, those of LENS in the paper's proportions: three probing texts, rows that xSFT learns too, to one prompt."""
    out = tmp_path / "run"
    done = cli(
        "run",
        "--method",
        "xsft,lens",
        "--backbone",
        "smollm2-135m",
        "--languages",
        "zh",
        "--data",
        "embedded",
        "--tasks",
        "xcopa",
        "--limit",
        "1",
        "--set",
        "xsft.n_aya=64",
        "--set",
        "xsft.max_length=1024",
        "--set",
        "lens.n_probe=48",
        "--set",
        "lens.n_parallel=32",
        "--set",
        "lens.epochs=1",
        "--set",
        "lens.start_layer=last:2",
        "--out",
        out,
        timeout=1200,
    )
    assert done.returncode == 0, done.stderr
    costs = json.loads((out / "results.json").read_text())["costs"]
    print({name: (cost["wall_seconds"], cost["training_items"], cost["training_tokens"]) for name, cost in costs.items()})
    assert costs["xsft"]["wall_seconds"] >= 3 * costs["lens"]["wall_seconds"]
