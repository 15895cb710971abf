"""LENS on a tiny model: losses by hand, step-0 identities, frozen tensors, forked blocks, memory of gradients, divergence."""

from __future__ import annotations

import copy
import math

import pytest
import torch

from lensbench.backbones.load import LoadedBackbone
from lensbench.engines.chat import encode_prompt, render_chat
from lensbench.errors import RunError, UsageError
from lensbench.methods.base import SilentProgress
from lensbench.methods.corpora.probing import Corpora, ParallelPrompt
from lensbench.methods.delta import Delta
from lensbench.methods.lens import METHOD, LensConfig
from lensbench.methods.lens.losses import alignment_loss, push_loss, retention_loss
from lensbench.methods.lens.probe import language_means, probe
from lensbench.methods.lens.prompts import pad, probe_ids, train_ids
from lensbench.methods.lens.readers import PaddedReader
from lensbench.methods.lens.states import ForkedBlocks, read_states
from lensbench.methods.lens.train import Constants, Diverged, accumulate

EN = ["tell me about cats", "why is the sky blue?", "name three rivers", "how do I bake bread"]
ZH = ["说说猫", "天空为什么是蓝色的？", "说出三条河", "怎么烤面包"]
SW = ["niambie kuhusu paka", "kwa nini anga ni buluu?", "taja mito mitatu", "ninaokaje mkate"]


def corpora(*codes: str) -> Corpora:
    texts = {"en": EN, "zh": ZH, "sw": SW}
    prompts = [ParallelPrompt(str(i), {c: texts[c][i] for c in codes}) for i in range(len(EN))]
    return Corpora(codes, {c: [t + " answer" for t in texts[c]] for c in codes}, prompts)


def small(**changes: object) -> LensConfig:
    base = {
        "start_layer": "last:2",
        "n_probe": None,
        "n_parallel": None,
        "batch_size": 2,
        "learning_rate": 1e-3,
        "push_strength": 0.5,
    }
    return LensConfig.model_validate({**base, **changes})


def test_losses_against_explicit_projection_matrices() -> None:
    g = torch.Generator().manual_seed(0)
    hidden, rank, batch, seq = 12, 2, 3, 5
    basis = torch.linalg.qr(torch.randn(hidden, rank + 1, generator=g))[0]
    agnostic, specific = basis[:, 0], basis[:, 1:]
    direction = specific @ torch.tensor([1.0, -2.0])
    x_c, x_l, ref = (torch.randn(batch, hidden, generator=g) for _ in range(3))
    p_a, p_s = torch.outer(agnostic, agnostic), specific @ specific.T
    expected = ((x_c - x_l) @ p_a).square().mean()  # as the released code: MSE over batch and hidden
    torch.testing.assert_close(alignment_loss(x_c, x_l, agnostic), expected)
    expected = ((x_l - ref) @ p_s - 0.3 * direction).square().mean()
    torch.testing.assert_close(push_loss(x_l, ref, specific, direction, 0.3), expected)
    torch.testing.assert_close(push_loss(x_l, ref, specific, direction, 0.3, "norm"), expected * hidden)
    states, reference = torch.randn(batch, seq, hidden, generator=g), torch.randn(batch, seq, hidden, generator=g)
    mask = torch.tensor([[0, 0, 1, 1, 1], [1, 1, 1, 1, 1], [0, 1, 1, 1, 1]], dtype=torch.bool)
    pooled = torch.stack([(s - r)[m].mean(0) for s, r, m in zip(states, reference, mask, strict=True)])
    torch.testing.assert_close(retention_loss(states, reference, mask), pooled.square().mean())
    last = (states - reference)[:, -1].square().mean()
    torch.testing.assert_close(retention_loss(states, reference, mask, "last"), last)


def test_step_zero_identities(tiny: LoadedBackbone) -> None:
    """Model and reference are equal before the first step: L2 = lambda^2 |delta|^2 / d, L3 = 0, L1 from the states alone."""
    config, data = small(push_strength=0.7), corpora("en", "zh", "sw")
    layer = len(tiny.blocks)
    found = probe(tiny, data.probing, (layer,), config, SilentProgress())
    rows = {c: train_ids(tiny, [p.text[c] for p in data.parallel], config) for c in data.languages}
    last = {c: read_states(tiny, pad(rows[c], 2, tiny.device), (layer,))[layer][:, -1] for c in rows}
    blocks = ForkedBlocks(tiny, 2, (layer,))
    losses = accumulate(PaddedReader(blocks), {layer: Constants.of(found[layer], tiny.device)}, rows, config)
    d = tiny.hidden_size
    assert losses.push == pytest.approx(sum(0.49 * float(v.square().sum()) / d for v in found[layer].directions), rel=1e-4)
    assert losses.retention == pytest.approx(0.0, abs=1e-12)
    axis = found[layer].agnostic.float()
    by_hand = sum(float(((last["en"] - last[c]) @ axis).square().mean()) / d for c in ("zh", "sw"))
    assert losses.alignment == pytest.approx(by_hand, rel=1e-4)


def test_gradients_equal_those_of_one_graph(tiny: LoadedBackbone) -> None:
    """Freeing each language's graph early must not change a gradient: compare with the plain sum of all losses."""
    config, data = small(), corpora("en", "zh", "sw")
    layer = len(tiny.blocks)
    found = probe(tiny, data.probing, (layer,), config, SilentProgress())[layer]
    rows = {c: train_ids(tiny, [p.text[c] for p in data.parallel], config) for c in data.languages}
    blocks = ForkedBlocks(tiny, 2, (layer,))
    with torch.no_grad():  # leave step 0, where some gradients vanish
        for parameter in blocks.parameters():
            parameter.add_(0.02 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(parameter.numel())))
    accumulate(PaddedReader(blocks), {layer: Constants.of(found, tiny.device)}, rows, config)
    ours = [p.grad.clone() for p in blocks.parameters()]
    for parameter in blocks.parameters():
        parameter.grad = None
    batches = {c: pad(rows[c], 2, tiny.device) for c in rows}
    states = {c: blocks.states(batches[c]) for c in rows}
    central, reference = (s[layer] for s in states["en"])
    total = retention_loss(central, reference, batches["en"].mask)
    for number, code in enumerate(("zh", "sw")):
        own, ref = (s[layer][:, -1] for s in states[code])
        total = total + alignment_loss(central[:, -1], own, found.agnostic.float())
        total = total + push_loss(own, ref, found.specific.float(), found.directions[number].float(), 0.5)
    total.backward()
    for mine, plain in zip(ours, blocks.parameters(), strict=True):
        torch.testing.assert_close(mine, plain.grad, atol=1e-7, rtol=1e-4)
    assert max(float(g.abs().max()) for g in ours) > 1e-6


def test_forked_blocks_equal_two_whole_models(tiny: LoadedBackbone) -> None:
    """Running the trained blocks on the frozen blocks' output is the whole model; the frozen copy is the untouched one."""
    untouched = copy.deepcopy(tiny.model)
    ids = [encode_prompt(tiny.tokenizer, render_chat(tiny.tokenizer, [{"role": "user", "content": t}], None)) for t in EN]
    batch = pad(ids, 2, tiny.device)
    layers = (2, 4)
    blocks = ForkedBlocks(tiny, 1, layers)
    with torch.no_grad():
        blocks.trained[0].mlp.up_proj.weight.mul_(1.5)
    trained, reference = blocks.states(batch)
    inputs = {"input_ids": batch.ids, "attention_mask": batch.mask.long(), "position_ids": batch.positions}
    changed = tiny.model(**inputs, output_hidden_states=True).hidden_states
    plain = untouched(**inputs, output_hidden_states=True).hidden_states
    for layer in layers:
        index = layer + 1 if layer < 4 else -1  # hidden_states begins with the embeddings; its last entry is normed
        torch.testing.assert_close(trained[layer][batch.mask], changed[index][batch.mask], atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(reference[layer][batch.mask], plain[index][batch.mask], atol=1e-5, rtol=1e-4)
    assert not torch.allclose(trained[4], reference[4])


def test_fit_trains_only_the_last_blocks(tiny: LoadedBackbone) -> None:
    before = {n: p.detach().clone() for n, p in tiny.model.named_parameters()}
    config = small(epochs=4)
    delta = METHOD.fit(tiny, corpora("en", "zh"), config, SilentProgress())
    after = dict(tiny.model.named_parameters())
    assert set(after) == set(before)
    for name, tensor in before.items():
        assert torch.equal(after[name], tensor), f"{name} of the backbone changed"
    expected = {n for n in before if n.startswith(("model.layers.2.", "model.layers.3."))}
    assert set(delta.tensors) == expected
    assert delta.first_changed_layer == 2
    assert all(not torch.equal(delta.tensors[n], before[n]) for n in expected if "proj" in n)
    cost = delta.card["cost"]
    assert cost["steps"] == 8 and cost["training_items"] == 4
    assert cost["trainable_parameters"] == sum(before[n].numel() for n in expected)
    log = delta.card["log"]
    assert log[-1]["total"] < log[0]["total"]
    assert log[0]["learning_rate"] == 0.0 and log[1]["learning_rate"] > log[-1]["learning_rate"]


def test_delta_applies_saves_and_loads(tiny: LoadedBackbone, tmp_path) -> None:
    delta = METHOD.fit(tiny, corpora("en", "zh"), small(), SilentProgress())
    ids = torch.tensor([[0, 10, 20, 30]])
    plain = tiny.model(ids).logits
    with delta.applied(tiny, "zh"):
        changed = tiny.model(ids).logits
    assert not torch.equal(plain, changed)
    assert torch.equal(tiny.model(ids).logits, plain)
    delta.save(tmp_path / "lens")
    loaded = METHOD.load(tmp_path / "lens", tiny.checkpoint.digest)
    with loaded.applied(tiny, "zh"):
        assert torch.equal(tiny.model(ids).logits, changed)
    assert loaded.digest == delta.digest
    assert torch.equal(loaded.extras["layer.4.directions"], delta.extras["layer.4.directions"])
    with pytest.raises(RunError, match="another backbone"):
        METHOD.load(tmp_path / "lens", "0" * 64)
    tensors = tmp_path / "lens" / "delta.safetensors"
    tensors.write_bytes(tensors.read_bytes()[:-100])
    with pytest.raises(RunError, match="not a readable enhancement"):
        METHOD.load(tmp_path / "lens", tiny.checkpoint.digest)


def test_originals_come_back_after_an_error(tiny: LoadedBackbone) -> None:
    delta = METHOD.fit(tiny, corpora("en", "zh"), small(), SilentProgress())
    name, tensor = next(iter(delta.tensors.items()))
    original = dict(tiny.model.named_parameters())[name].detach().clone()
    with pytest.raises(ZeroDivisionError), delta.applied(tiny, "zh"):
        raise ZeroDivisionError
    assert torch.equal(dict(tiny.model.named_parameters())[name], original) and not torch.equal(original, tensor)


def test_same_seed_same_delta(tiny_model_dir, tiny: LoadedBackbone) -> None:
    one = METHOD.fit(tiny, corpora("en", "zh"), small(), SilentProgress())
    two = METHOD.fit(tiny, corpora("en", "zh"), small(), SilentProgress())
    assert one.digest == two.digest
    assert METHOD.fit(tiny, corpora("en", "zh"), small(seed=7), SilentProgress()).digest != one.digest


def test_micro_batches_add_up(tiny: LoadedBackbone) -> None:
    one = METHOD.fit(tiny, corpora("en", "zh"), small(micro_batch=1), SilentProgress())
    four = METHOD.fit(tiny, corpora("en", "zh"), small(micro_batch=2), SilentProgress())
    for name, tensor in one.tensors.items():
        torch.testing.assert_close(four.tensors[name], tensor, atol=1e-5, rtol=1e-3)


def test_bfloat16_backbone_moves_at_a_small_rate(tiny: LoadedBackbone) -> None:
    """1e-5 steps vanish in bf16 weights; trained blocks are kept in fp32 and only rounded at the end."""
    tiny.model.to(torch.bfloat16)
    delta = METHOD.fit(tiny, corpora("en", "zh"), small(epochs=3), SilentProgress())
    assert {t.dtype for t in delta.tensors.values()} == {torch.bfloat16}
    assert {p.dtype for p in tiny.model.parameters()} == {torch.bfloat16}
    assert all(math.isfinite(step["total"]) for step in delta.card["log"])
    assert delta.card["log"][-1]["total"] < delta.card["log"][0]["total"]


def test_divergence_keeps_the_last_good_state(tiny: LoadedBackbone) -> None:
    config = small(push_strength=1e38, learning_rate=1e-3)
    with pytest.raises(Diverged, match="step 1") as caught:
        METHOD.fit(tiny, corpora("en", "zh"), config, SilentProgress())
    kept = caught.value.delta
    assert isinstance(kept, Delta)
    assert all(torch.isfinite(t).all() for t in kept.tensors.values())
    assert {p.isfinite().all().item() for p in tiny.model.parameters()} == {True}


@pytest.mark.parametrize("preset", ["paper", "official"])
def test_presets_fit(tiny: LoadedBackbone, preset: str) -> None:
    from lensbench.methods.lens.config import PRESETS

    config = small(preset=preset, **PRESETS[preset])
    delta = METHOD.fit(tiny, corpora("en", "zh", "sw"), config, SilentProgress())
    layers = {key.split(".")[1] for key in delta.extras}
    assert layers == ({"2", "4"} if preset == "paper" else {"4"})


def test_readout_is_the_last_real_token_and_keeps_the_generation_prompt(tiny: LoadedBackbone) -> None:
    config = small(probe_tokens=5)
    long = "x" * 200
    row = probe_ids(tiny, [long], config)[0]
    text = tiny.tokenizer.decode(row)
    assert text.endswith("<assistant>\n") and text.count("x") == 5
    assert row[0] == 0 and 0 not in row[1:], "exactly one BOS"
    assert len(probe_ids(tiny, [long], small(probe_tokens=5, readout="official"))[0]) == 5
    doubled = probe_ids(tiny, ["hi"], small(readout="official", extra_bos=True))[0]
    assert tiny.tokenizer.decode(doubled).startswith("<s>")


def test_language_means_equal_one_text_at_a_time(tiny: LoadedBackbone) -> None:
    config, data = small(), corpora("en", "zh")
    means = language_means(tiny, data.probing, (2, 4), config, SilentProgress())
    for row, code in enumerate(data.languages):
        states = []
        for text in data.probing[code]:
            ids = torch.tensor(
                [encode_prompt(tiny.tokenizer, render_chat(tiny.tokenizer, [{"role": "user", "content": text}], None))]
            )
            states.append(tiny.model(ids, output_hidden_states=True).hidden_states)
        for layer, index in ((2, 3), (4, -1)):
            expected = torch.stack([s[index][0, -1] for s in states]).double().mean(0)
            torch.testing.assert_close(means[layer][row], expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(("start", "index"), [("last:1", 3), ("last:4", 0), (1, 0), (4, 3), ("3", 2)])
def test_start_layer(start: int | str, index: int) -> None:
    assert small(start_layer=start).start_index(4) == index


@pytest.mark.parametrize("start", ["last:5", 5])
def test_start_layer_outside_the_model(start: int | str) -> None:
    with pytest.raises(UsageError, match="4 blocks"):
        small(start_layer=start).start_index(4)


def test_missing_push_strength_is_named() -> None:
    with pytest.raises(UsageError, match="'sw'"):
        small(push_strength={"zh": 1.0}).strength_of("sw")


def test_a_warm_up_that_takes_every_step_is_refused(tiny: LoadedBackbone) -> None:
    with pytest.raises(UsageError, match="nothing would be trained"):
        METHOD.fit(tiny, corpora("en", "zh"), small(batch_size=4), SilentProgress())
