"""The packed reader of the LENS trainer against the padded one: same losses, same gradients, frozen blocks run once."""

from __future__ import annotations

import dataclasses
import random
from pathlib import Path
from typing import Any

import pytest
import torch
from families import FAMILIES, VOCABULARY, random_model

from lensbench.backbones.load import LoadedBackbone
from lensbench.engines.blocks import Blocks
from lensbench.errors import RunError
from lensbench.methods.base import SilentProgress
from lensbench.methods.corpora.probing import Corpora, ParallelPrompt
from lensbench.methods.lens import METHOD, LensConfig, decompose
from lensbench.methods.lens.packed import Pack, packs_of
from lensbench.methods.lens.readers import PackedReader, PaddedReader, Reader
from lensbench.methods.lens.shared import SharedStates
from lensbench.methods.lens.states import ForkedBlocks
from lensbench.methods.lens.train import Constants, Losses, accumulate

LANGUAGES = ("en", "zh", "sw")


def rows_of(seed: int, items: int = 4) -> dict[str, list[list[int]]]:
    """Prompts of unlike length behind one preamble, one of them twice."""
    draw = random.Random(seed)
    preamble = [draw.randrange(3, VOCABULARY) for _ in range(6)]
    made = {
        code: [preamble + [draw.randrange(3, VOCABULARY) for _ in range(draw.randint(1, 20))] for _ in range(items)]
        for code in LANGUAGES
    }
    made["zh"][1] = made["zh"][0]
    return made


def forked(loaded: LoadedBackbone, layers: tuple[int, ...]) -> ForkedBlocks:
    """Away from step 0, where some gradients vanish."""
    blocks = ForkedBlocks(loaded, 2, layers)
    noise = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in blocks.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=noise))
    return blocks


def constants_of(layers: tuple[int, ...], hidden: int) -> dict[int, Constants]:
    draw = torch.Generator().manual_seed(2)
    means = {layer: torch.randn(len(LANGUAGES), hidden, generator=draw) for layer in layers}
    return {layer: Constants.of(decompose(found), torch.device("cpu")) for layer, found in means.items()}


def gradients(reader: Reader, blocks: ForkedBlocks, config: LensConfig, seed: int) -> tuple[Losses, list[torch.Tensor]]:
    constants = constants_of(blocks.layers, blocks.loaded.hidden_size)
    reader.begin(rows_of(seed))
    losses = accumulate(reader, constants, rows_of(seed), config)
    found = [torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in blocks.parameters()]
    for parameter in blocks.parameters():
        parameter.grad = None
    return losses, found


def assert_same(one: tuple[Losses, list[torch.Tensor]], other: tuple[Losses, list[torch.Tensor]]) -> None:
    for field in dataclasses.fields(Losses):
        assert getattr(one[0], field.name) == pytest.approx(getattr(other[0], field.name), rel=1e-4, abs=1e-7)
    largest = max(float(g.abs().max()) for g in other[1])
    assert largest > 1e-6
    for mine, plain in zip(one[1], other[1], strict=True):
        torch.testing.assert_close(mine, plain, atol=2e-5 * largest, rtol=2e-3)


@pytest.fixture(params=FAMILIES)
def family(request: pytest.FixtureRequest, tiny: LoadedBackbone) -> LoadedBackbone:
    return dataclasses.replace(tiny, model=random_model(request.param))


def test_every_family_has_the_same_gradients(family: LoadedBackbone) -> None:
    config = LensConfig(push_strength=0.5)
    blocks = forked(family, (4,))
    packed = gradients(PackedReader(blocks, 32, shared=SharedStates((2,), blocks.layers)), blocks, config, seed=3)
    assert_same(packed, gradients(PaddedReader(blocks), blocks, config, seed=3))


@pytest.mark.parametrize("pool", ["mean", "last"])
@pytest.mark.parametrize("layers", [(4,), (2, 4), (2, 3, 4)])
@pytest.mark.parametrize("detach", [False, True])
def test_every_switch_has_the_same_gradients(tiny: LoadedBackbone, pool: Any, layers: tuple[int, ...], detach: bool) -> None:
    config = LensConfig(push_strength=0.5, retain_pool=pool, detach_central=detach, reduction="norm")
    blocks = forked(tiny, layers)
    packed = gradients(
        PackedReader(blocks, 32, shared=SharedStates((2,), blocks.layers), whole=pool == "mean"), blocks, config, seed=5
    )
    assert_same(packed, gradients(PaddedReader(blocks), blocks, config, seed=5))


def test_languages_that_do_not_fit_together_have_graphs_of_their_own(
    tiny: LoadedBackbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lensbench.methods.lens import readers

    blocks, config = forked(tiny, (4,)), LensConfig(push_strength=0.5)
    reader = PackedReader(blocks, 32, shared=SharedStates((2,), blocks.layers))
    reader.begin(rows_of(7))
    rows = {code: own for code, own in rows_of(7).items() if code != "en"}
    assert [list(group) for group in reader.targets(rows)] == [["zh", "sw"]]
    together = gradients(reader, blocks, config, seed=7)
    monkeypatch.setattr(readers, "_TOKENS", 1)
    assert [list(group) for group in reader.targets(rows)] == [["zh"], ["sw"]]
    assert_same(gradients(reader, blocks, config, seed=7), together)


class Calls:
    """How many tokens a block was asked for."""

    def __init__(self, block: torch.nn.Module) -> None:
        self.tokens = 0
        self._handle = block.register_forward_hook(self._count)

    def _count(self, module: Any, inputs: Any, output: Any) -> None:
        self.tokens += inputs[0].shape[1]


@pytest.mark.parametrize("in_memory", [0, 3000, 2**30])
def test_later_epochs_read_what_was_kept(tiny: LoadedBackbone, in_memory: int) -> None:
    blocks, config = forked(tiny, (2, 4)), LensConfig(push_strength=0.5)
    calls = Calls(tiny.blocks[0])
    with SharedStates((2,), (2, 4), in_memory) as kept:
        reader = PackedReader(blocks, 32, shared=kept)
        first = gradients(reader, blocks, config, seed=3)
        read = calls.tokens
        assert read > 0
        again = gradients(reader, blocks, config, seed=3)
        assert calls.tokens == read, "frozen blocks were run again"
        folder = kept._cache._folder
        assert (folder is None) == (in_memory == 2**30)
        path = Path(folder.name) if folder else None
        assert path is None or list(path.glob("*.safetensors"))
    assert path is None or not path.exists()
    assert_same(again, first)


def test_frozen_blocks_read_each_distinct_token_once(tiny: LoadedBackbone) -> None:
    blocks = forked(tiny, (4,))
    calls = Calls(tiny.blocks[0])
    rows = rows_of(3)
    # All languages behind one preamble.
    rows["zh"] = [rows["en"][0][:6] + row[6:] for row in rows["zh"]]
    reader = PackedReader(blocks, 32, shared=SharedStates((2,), blocks.layers))
    reader.begin(rows)
    assert calls.tokens == len({tuple(row[: n + 1]) for own in rows.values() for row in own for n in range(len(row))})
    reader.central(rows["en"])
    list(reader.targets({code: rows[code] for code in ("zh", "sw")}))
    read = calls.tokens
    reader.begin(rows)
    assert calls.tokens == read
    reader.begin(rows_of(4))
    assert calls.tokens > read


def test_a_pack_finds_every_token_of_every_row() -> None:
    rows = [[5, 6, 7], [5, 6], [5, 6, 7], [9], [5, 8, 7, 4]]
    for whole in ([True] * 5, [False] * 5, [False, True, True, False, False]):
        pack = Pack(rows, whole=whole, device=torch.device("cpu"))
        for row, all_of_it, index, places in zip(rows, whole, pack.index, pack.places, strict=True):
            assert pack.ids[index].tolist() == row
            assert pack.depths[index].tolist() == list(range(len(row)))
            assert pack.ids[pack.at][places].tolist() == (row if all_of_it else row[-1:])
    assert pack.tokens == 7


def test_groups_of_rows_keep_to_the_budget() -> None:
    rows = [[3] * 4, [1, 2], [1, 2, 3], [9] * 50, [1]]
    groups = packs_of(rows, 6)
    assert sorted(index for group in groups for index in group) == [0, 1, 2, 3, 4]
    assert [3] in groups
    assert all(sum(len(rows[i]) for i in group) <= 6 or len(group) == 1 for group in groups)


def corpora() -> Corpora:
    texts = {
        "en": ["tell me about cats", "why is the sky blue?", "name three rivers", "bread"],
        "zh": ["说说猫", "天空为什么是蓝色的？", "说出三条河", "面包"],
    }
    prompts = [ParallelPrompt(str(i), {code: own[i] for code, own in texts.items()}) for i in range(4)]
    return Corpora(("en", "zh"), {code: [t + " answer" for t in own] for code, own in texts.items()}, prompts)


@pytest.fixture
def cannot_pack(monkeypatch: pytest.MonkeyPatch) -> None:
    from lensbench.engines import blocks

    monkeypatch.setattr(blocks, "_PACKABLE", frozenset())


def fit(loaded: LoadedBackbone, **changes: Any) -> tuple[Any, list[str]]:
    config = LensConfig.model_validate(
        {"n_probe": None, "n_parallel": None, "batch_size": 2, "learning_rate": 1e-3, "push_strength": 0.5, **changes}
    )
    progress = SilentProgress()
    return METHOD.fit(loaded, corpora(), config, progress), progress.notes


@pytest.mark.parametrize("layer", ["final_norm", "all_trainable"])
def test_fits_are_equal(tiny: LoadedBackbone, layer: str, request: pytest.FixtureRequest) -> None:
    packed, notes = fit(tiny, epochs=3, loss_layer=layer)
    assert not any("padded" in note for note in notes)
    request.getfixturevalue("cannot_pack")
    padded, notes = fit(tiny, epochs=3, loss_layer=layer)
    why = "models of type 'llama' are not known to the tree engine"
    assert [note for note in notes if "padded batches" in note] == [
        f"{what} are read in padded batches: {why}" for what in ("probing texts", "prompts")
    ]
    for one, other in zip(packed.card["log"], padded.card["log"], strict=True):
        for name, value in one.items():
            assert value == pytest.approx(other[name], rel=2e-3, abs=1e-7), name
    assert packed.card["cost"]["training_tokens"] == padded.card["cost"]["training_tokens"]
    for name, tensor in packed.tensors.items():
        torch.testing.assert_close(tensor, padded.tensors[name], atol=2e-4, rtol=1e-2)


def test_padding_is_kept_where_the_loss_averages_it(tiny: LoadedBackbone, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any) -> None:
        raise AssertionError("packed")

    monkeypatch.setattr(Blocks, "enter", refuse)
    fit(tiny, retain_pool="all_positions", readout="official")


def test_means_are_equal(family: LoadedBackbone, cannot_pack: None, monkeypatch: pytest.MonkeyPatch) -> None:
    from lensbench.engines import blocks
    from lensbench.methods.lens import probe, readers

    texts = {code: rows_of(4, 30)[code] for code in LANGUAGES}
    monkeypatch.setattr(probe, "probe_ids", lambda loaded, rows, config: rows)
    config, layers = LensConfig(), (1, 3, 4)
    padded = probe.language_means(family, texts, layers, config, SilentProgress())
    monkeypatch.setattr(blocks, "_PACKABLE", {family.model.config.model_type})
    monkeypatch.setattr(readers, "_TOKENS", 100)
    progress = SilentProgress()
    packed = probe.language_means(family, texts, layers, config, progress)
    assert not progress.notes
    for layer in layers:
        torch.testing.assert_close(packed[layer], padded[layer], atol=1e-4, rtol=1e-4)


def test_states_that_cannot_be_written_end_the_fit_in_words(tiny: LoadedBackbone) -> None:
    import resource

    blocks = forked(tiny, (4,))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with SharedStates((2,), (4,), 0) as kept:
        reader = PackedReader(blocks, 32, shared=kept)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
        try:
            with pytest.raises(RunError, match="could not be written"):
                reader.begin(rows_of(3))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
