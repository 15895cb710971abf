"""`--trust-tasks`, `--trust-model` and `--system`: what each concerns, and what is fetched from the hub."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hub_server import HubServer, Repository

from lensbench.backbones import get_backbone, with_system
from lensbench.backbones import resolve as resolving
from lensbench.backbones.load import load_backbone
from lensbench.backbones.resolve import find_checkpoint
from lensbench.errors import UnavailableError, UsageError
from lensbench.plan.plan import make_plan
from lensbench.plan.request import RunRequest

CODE = """
from transformers import LlamaConfig, LlamaForCausalLM
import pathlib
pathlib.Path({marker!r}).write_text("ran")
class OwnConfig(LlamaConfig):
    model_type = "own_llama"
class OwnModel(LlamaForCausalLM):
    config_class = OwnConfig
"""


@pytest.fixture
def own_code(tiny_model_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """A model folder that needs code of its own, and the file that this code writes."""
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules"))
    folder, marker = tmp_path / "own", tmp_path / "marker"
    shutil.copytree(tiny_model_dir, folder)
    (folder / "own.py").write_text(CODE.format(marker=str(marker)))
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "own_llama", "auto_map": {"AutoConfig": "own.OwnConfig", "AutoModelForCausalLM": "own.OwnModel"}}
    (folder / "config.json").write_text(json.dumps(config))
    return folder, marker


def test_code_of_a_folder_runs_only_when_trusted(own_code: tuple[Path, Path]) -> None:
    folder, marker = own_code
    backbone = get_backbone(str(folder))
    with pytest.raises(UnavailableError, match="could not load") as refused:
        load_backbone(backbone, find_checkpoint(backbone), device="cpu", dtype="float32")
    assert "trust_model=True" in str(refused.value.hint) and not marker.exists()
    loaded = load_backbone(backbone, find_checkpoint(backbone, trust=True), device="cpu", dtype="float32", trust=True)
    assert marker.exists() and type(loaded.model).__name__ == "OwnModel"


def test_trusted_code_is_part_of_the_digest(own_code: tuple[Path, Path]) -> None:
    folder, _ = own_code
    backbone = get_backbone(str(folder))
    plain, trusted = find_checkpoint(backbone), find_checkpoint(backbone, trust=True)
    assert plain.digest != trusted.digest
    (folder / "own.py").write_text("changed")
    resolving._folder_digest.cache_clear()
    assert find_checkpoint(backbone).digest == plain.digest != find_checkpoint(backbone, trust=True).digest != trusted.digest


@pytest.mark.parametrize("name", ["phi3.5-mini", "llama3-8b", "owner/model"])
@pytest.mark.parametrize("trust", [False, True])
def test_what_is_fetched(name: str, trust: bool, monkeypatch: pytest.MonkeyPatch, tiny_model_dir: Path, tmp_path: Path) -> None:
    """Code only of a hub id and only when trusted; no weights a second time. Short names do not change with the option."""
    backbone = get_backbone(name)
    wanted = {path.name: path.read_bytes() for path in tiny_model_dir.iterdir()} | {"tokenizer.model": b"m", "other.jinja": b"{}"}
    unwanted = [
        "consolidated.safetensors",
        "consolidated.00.pth",
        "original/params.json",
        "original/consolidated.00.pth",
        "original/tokenizer.model",
        "pytorch_model.bin",
    ]
    files = {**wanted, **dict.fromkeys(unwanted, b"x"), "modeling_phi3.py": b"raise SystemExit"}
    with HubServer([Repository(str(backbone.hub), "model", {"main": files})]) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
        for variable in ("HF_HUB_OFFLINE", "HF_HUB_CACHE", "HF_TOKEN", "LENSBENCH_MODELS"):
            monkeypatch.delenv(variable, raising=False)
        path = find_checkpoint(backbone, trust=trust).path
    fetched = {str(file.relative_to(path)) for file in path.rglob("*") if file.is_file()}
    assert fetched == set(wanted) | ({"modeling_phi3.py"} if trust and name == "owner/model" else set())


def test_options_reach_the_plan(tiny_model_dir: Path) -> None:
    asked = {"backbone": str(tiny_model_dir), "data": "embedded", "tasks": ("xcopa",)}
    plain = make_plan(RunRequest(**asked))  # type: ignore[arg-type]
    plan = make_plan(RunRequest(**asked, system="Be brief.", trust_model=True))  # type: ignore[arg-type]
    assert plan.backbone.system_text == "Be brief." == plan.spec.system and plan.trust_model
    assert plain.backbone.system_text is None and plain.spec.digest != plan.spec.digest
    empty = make_plan(RunRequest(**asked, system=""))  # type: ignore[arg-type]
    assert empty.backbone.system_text == ""


def test_a_short_name_keeps_its_own_system_text() -> None:
    short = get_backbone("phi3.5-mini")
    assert with_system(short, "Be brief.") is short
    with pytest.raises(UsageError, match=r"^system: no model of this run takes a system text"):
        make_plan(RunRequest(backbone="phi3.5-mini", data="embedded", tasks=("xcopa",), system="Be brief."))


def test_the_system_text_is_in_the_prompt(cli: Callable[..., Any], tiny_model_dir: Path, tmp_path: Path) -> None:
    asked = ["run", "--backbone", tiny_model_dir, "--variant", f"same={tiny_model_dir}", "--tasks", "xcopa", "--data", "embedded"]
    done = cli(*asked, "--limit", "1", "--system", "Be brief.", "--out", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    items = [json.loads(line) for line in (tmp_path / "run" / "items" / "items.jsonl").read_text().splitlines()]
    assert all(item["requests"][0][0].startswith("<s><system>Be brief.<end><user>") for item in items)
    scores = [json.loads(line) for line in (tmp_path / "run" / "items" / "score.jsonl").read_text().splitlines()]
    by_variant = {name: [r["loglikelihoods"] for r in scores if r["variant"] == name] for name in ("base", "same")}
    assert by_variant["base"] == by_variant["same"], "a variant given as a folder gets the same system text"
    again = cli(*asked, "--limit", "1", "--out", tmp_path / "run")
    assert again.returncode == 2 and "system" in again.stderr


def test_the_old_name_is_the_one_for_tasks(cli: Callable[..., Any], own_code: tuple[Path, Path]) -> None:
    folder, marker = own_code
    done = cli(
        "run", "--backbone", folder, "--tasks", "xcopa", "--data", "embedded", "--limit", "1", "--trust", "--out", folder / "run"
    )
    assert done.returncode == 1 and "--trust-model" in done.stderr and not marker.exists()
