"""The check of enhancements before they are kept, and runs in which one method fails."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import save_tiny_model

from lensbench.backbones.load import LoadedBackbone
from lensbench.errors import RunError
from lensbench.methods.check import check_enhancement, difference, take_snapshot
from lensbench.methods.delta import Delta


def delta_of(loaded: LoadedBackbone, name: str, first: int, change: float = 0.1) -> Delta:
    """One parameter moved by a random amount."""
    torch.manual_seed(0)
    tensor = dict(loaded.model.named_parameters())[name].detach()
    return Delta("m", "tiny", loaded.checkpoint.digest, first, {name: tensor + change * torch.randn_like(tensor)})


def check_weights(name: str, loaded: LoadedBackbone, enhancement: Any) -> None:
    check_enhancement(name, loaded, enhancement, ("en", "zh"), take_snapshot(loaded))


class Hooked:
    """An intervention that adds to the output of one block in Chinese."""

    mergeable = False
    digest = "hooked"

    def __init__(self, block: int, first: int, add: float = 1.0, *, stays: bool = False) -> None:
        self.block, self.first_changed_layer, self.add, self.stays = block, first, add, stays

    @contextmanager
    def applied(self, loaded: LoadedBackbone, language: str) -> Iterator[None]:
        if language == "en":
            yield
            return
        handle = loaded.blocks[self.block].register_forward_hook(lambda module, inputs, output: output + self.add)
        yield
        if not self.stays:
            handle.remove()

    def save(self, folder: Path) -> None:
        raise NotImplementedError


def test_a_delta_that_says_where_it_begins_passes(tiny: LoadedBackbone) -> None:
    before = {name: p.detach().clone() for name, p in tiny.model.named_parameters()}
    check_weights("m", tiny, delta_of(tiny, "model.layers.2.mlp.up_proj.weight", 2))
    check_weights("m", tiny, delta_of(tiny, "model.layers.2.mlp.up_proj.weight", 1))
    check_weights("m", tiny, delta_of(tiny, "model.embed_tokens.weight", 0))
    assert all(torch.equal(p, before[name]) for name, p in tiny.model.named_parameters())


def test_a_block_below_the_first_changed_one(tiny: LoadedBackbone) -> None:
    with pytest.raises(RunError, match=r"the state before block 2 has changed \(prompt\), but block 3"):
        check_weights("m", tiny, delta_of(tiny, "model.layers.1.mlp.up_proj.weight", 3))


def test_a_delta_that_changes_nothing(tiny: LoadedBackbone) -> None:
    with pytest.raises(RunError, match=r"fitting has changed nothing \(prompt\)"):
        check_weights("m", tiny, delta_of(tiny, "model.layers.2.mlp.up_proj.weight", 2, change=0.0))
    with pytest.raises(RunError, match="changed nothing"):
        check_weights("m", tiny, Delta("m", "tiny", tiny.checkpoint.digest, 0, {}))


def test_a_delta_that_has_blown_up(tiny: LoadedBackbone) -> None:
    with pytest.raises(RunError, match="not finite"):
        check_weights("m", tiny, delta_of(tiny, "model.layers.2.mlp.up_proj.weight", 2, change=1e38))


def test_an_intervention_is_tried_in_every_language(tiny: LoadedBackbone) -> None:
    before = take_snapshot(tiny)
    check_weights("m", tiny, Hooked(2, 2))
    check_weights("m", tiny, Hooked(2, 1))
    assert difference(tiny, before) is None
    with pytest.raises(RunError, match=r"the state before block 2 has changed \(prompt\), but block 3"):
        check_weights("m", tiny, Hooked(1, 3))
    with pytest.raises(RunError, match="not finite"):
        check_weights("m", tiny, Hooked(1, 1, float("inf")))
    for wrong in (-2, 5):
        with pytest.raises(RunError, match=f"first_changed_layer is {wrong}, the model has 4 blocks"):
            check_weights("m", tiny, Hooked(1, wrong))
    with pytest.raises(RunError, match=r"after the enhancement was removed: the module 'model\.layers\.1' has other hooks"):
        check_weights("m", tiny, Hooked(1, 1, stays=True))


def test_an_enhancement_with_hooks_cannot_be_mergeable(tiny: LoadedBackbone) -> None:
    made = Hooked(1, 1)
    made.mergeable = True
    with pytest.raises(RunError, match="said to be mergeable, but puts hooks"):
        check_enhancement("m", tiny, made, ("zh",), take_snapshot(tiny))


def test_what_a_fit_leaves_behind_is_found(tiny: LoadedBackbone) -> None:
    good, before = Hooked(2, 2), take_snapshot(tiny)

    def says(words: str) -> None:
        with pytest.raises(RunError, match=f"the fit has changed the backbone: .*{words}"):
            check_enhancement("m", tiny, good, ("en", "zh"), before)

    handle = tiny.blocks[0].register_forward_hook(lambda *_: None)
    says(r"'model\.layers\.0' has other hooks")
    handle.remove()
    tiny.blocks[1].register_parameter("extra", torch.nn.Parameter(torch.zeros(1)))
    says(r"model\.layers\.1\.extra were added or removed")
    del tiny.blocks[1].extra
    tiny.wants_prompt_ends = True
    says("wants_prompt_ends")
    tiny.wants_prompt_ends = False
    head = tiny.model.get_output_embeddings().weight.data
    head[0] += 1
    says("other states")
    head[0] -= 1
    tiny.model.train()
    says("training mode")
    tiny.model.eval()


ONE = (
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
)


def test_scores_of_another_fit_under_the_same_name_are_refused(
    cli: Callable[..., Any], tiny_model_dir: Path, tmp_path: Path
) -> None:
    out, other = tmp_path / "run", tmp_path / "other"
    command = ("run", "-m", "lens", "-b", tiny_model_dir, *ONE)
    assert cli(*command, "--out", out).returncode == 0
    assert cli(*command, "--set", "push_strength=0.1", "--out", other).returncode == 0
    shutil.rmtree(out / "enhancements" / "lens")
    again = cli(*command, "--out", out)
    assert again.returncode == 0, "the same fit again is the same variant"
    shutil.rmtree(out / "enhancements" / "lens")
    shutil.copytree(other / "enhancements" / "lens", out / "enhancements" / "lens")
    before = (out / "items" / "score.jsonl").read_bytes()
    refused = cli(*command, "--out", out)
    assert refused.returncode == 1 and "'lens' differs from the one that was scored in" in refused.stderr
    assert (out / "items" / "score.jsonl").read_bytes() == before


def test_questions_whose_wording_has_changed_are_refused(cli: Callable[..., Any], tmp_path: Path) -> None:
    model = save_tiny_model(tmp_path / "model")
    command = ("run", "-b", model, "-l", "zh", "--data", "embedded", "-t", "xcopa", "--limit", "2", "--out", tmp_path / "run")
    assert cli(*command).returncode == 0
    items = tmp_path / "run" / "items" / "items.jsonl"
    first, *rest = items.read_text(encoding="utf-8").splitlines()
    record = json.loads(first)
    items.write_text("\n".join([json.dumps({**record, "key": "asked-yesterday"}), first, *rest]) + "\n", encoding="utf-8")
    done = cli(*command)
    assert done.returncode == 1 and "the questions of xcopa/en are not those" in done.stderr


FITS = (
    "-l",
    "zh",
    "--data",
    "embedded",
    "-t",
    "xcopa",
    "--limit",
    "2",
    "--set",
    "lens.n_probe=8",
    "--set",
    "lens.n_parallel=16",
    "--set",
    "lens.warmup_ratio=0",
    "--set",
    "xsft.n_aya=4",
    "--set",
    "xsft.n_bactrian=0",
    "--set",
    "xsft.max_length=256",
    "--set",
    "xsft.warmup_ratio=0",
)


def test_a_method_that_fails_leaves_the_others_be(cli: Callable[..., Any], tiny_model_dir: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    command = ("run", "-m", "xsft,lens", "-b", tiny_model_dir, *FITS, "--set", "xsft.learning_rate=1e30", "--out", out)
    done = cli(*command)
    assert done.returncode == 1
    assert "xsft could not be fitted" in done.stderr and "The other variants are finished" in done.stderr
    assert "lens" in done.stdout, "the table of what is finished"
    results = json.loads((out / "results.json").read_text())
    assert list(results["variants"]) == ["base", "lens"] and "xsft" in results["failed"]
    assert (out / "enhancements" / "lens" / "card.json").is_file()
    assert not (out / "enhancements" / "xsft" / "card.json").exists()
    assert "xsft could not be fitted" in (out / "report.md").read_text()
    again = cli(*command)
    assert again.returncode == 1 and "xsft could not be fitted" in again.stderr


def test_when_none_can_be_fitted_nothing_is_scored(cli: Callable[..., Any], tiny_model_dir: Path, tmp_path: Path) -> None:
    done = cli(
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
        "n_aya=4",
        "--set",
        "n_bactrian=0",
        "--set",
        "max_length=256",
        "--set",
        "warmup_ratio=0",
        "--set",
        "learning_rate=1e30",
        "--out",
        tmp_path / "run",
    )
    assert done.returncode == 1 and not (tmp_path / "run" / "results.json").exists()
