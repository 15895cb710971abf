"""Fine-tuning a tiny model: the loss by hand, the backbone untouched, learning, saving, stopping, adapters."""

from __future__ import annotations

import copy
import importlib.util
import math

import pytest
import torch
from torch.nn import functional

from lensbench.backbones.load import LoadedBackbone
from lensbench.errors import RunError, UnavailableError, UsageError
from lensbench.methods.adapter import Adapter
from lensbench.methods.base import SilentProgress
from lensbench.methods.delta import Delta
from lensbench.methods.sft import SftConfig
from lensbench.methods.sft.batches import collator, token_mean_loss
from lensbench.methods.sft.callbacks import Diverged
from lensbench.methods.sft.encode import IGNORED, Example, chat_layout, encode_all
from lensbench.methods.sft.fit import fine_tune
from lensbench.methods.sft.trainable import first_changed_layer, trainee

EXAMPLES = [
    Example("name a river", "The Nile.", "aya/en"),
    Example("什么是猫？", "猫是一种动物。", "aya/zh"),
    Example("say something long", "la " * 30, "aya/en"),
    Example("一加一？", "二", "bactrian_x/zh"),
    Example("empty", "  ", "bactrian_x/zh"),
]


def small(**changes: object) -> SftConfig:
    return SftConfig.model_validate({"batch_size": 2, "micro_batch": 1, "max_length": 256, "learning_rate": 1e-3, **changes})


def fit(loaded: LoadedBackbone, config: SftConfig, examples: list[Example] = EXAMPLES) -> Delta:
    card = {"pools": {pool: {"rows": 9} for pool in ("aya/en", "aya/zh", "bactrian_x/zh")}}
    return fine_tune("sft", loaded, examples, chat_layout(loaded.tokenizer, None), config, SilentProgress(), card)


def snapshot(loaded: LoadedBackbone) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().clone() for name, tensor in loaded.model.state_dict().items()}


def assert_untouched(loaded: LoadedBackbone, before: dict[str, torch.Tensor]) -> None:
    after = loaded.model.state_dict()
    assert set(after) == set(before)
    for name, tensor in before.items():
        assert after[name].dtype == tensor.dtype and torch.equal(after[name], tensor), f"{name} of the backbone changed"
    assert all(p.requires_grad and p.grad is None for p in loaded.model.parameters())
    assert not loaded.model.training and loaded.model.config.use_cache


def by_hand(loaded: LoadedBackbone, rows: list) -> torch.Tensor:
    """Token-mean cross-entropy with gradients, one row at a time and without padding."""
    losses = []
    for row in rows:
        logits = loaded.model(torch.tensor([row.ids])).logits[0]
        for place, label in enumerate(row.labels):
            if label != IGNORED:
                losses.append(functional.cross_entropy(logits[place - 1].unsqueeze(0), torch.tensor([label])))
    return torch.stack(losses).mean()


@pytest.mark.parametrize("micro_batch", [1, 2, 4])
def test_the_loss_of_a_batch_is_the_mean_over_its_answer_tokens(tiny: LoadedBackbone, micro_batch: int) -> None:
    config = small(batch_size=4, micro_batch=micro_batch, warmup_ratio=0)
    rows = encode_all(tiny.tokenizer, EXAMPLES, chat_layout(tiny.tokenizer, None), 256).rows
    assert len({row.loss_tokens for row in rows}) == 4, "unlike lengths: a mean of row means would differ"
    step = fit(tiny, config).card["log"][0]
    expected = by_hand(tiny, rows)
    assert step["loss"] == pytest.approx(expected.item(), rel=1e-5)
    # The gradient too: its norm before clipping.
    expected.backward()
    norm = torch.nn.utils.get_total_norm([p.grad for p in tiny.model.parameters() if p.grad is not None])
    assert step["grad_norm"] == pytest.approx(float(norm), rel=1e-4)


def test_the_first_step_is_adamws(tiny: LoadedBackbone) -> None:
    """One step over the whole set, with decay on matrices only, against torch's own plain AdamW."""
    config = small(batch_size=4, warmup_ratio=0, weight_decay=0.1)
    delta = fit(tiny, config)
    model = copy.deepcopy(tiny.model)
    plain = LoadedBackbone(tiny.backbone, tiny.checkpoint, model, tiny.tokenizer)
    rows = encode_all(tiny.tokenizer, EXAMPLES, chat_layout(tiny.tokenizer, None), 256).rows
    by_hand(plain, rows).backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    matrices = [p for p in model.parameters() if p.ndim > 1]
    norms = [p for p in model.parameters() if p.ndim == 1]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": norms, "weight_decay": 0.0}]
    torch.optim.AdamW(groups, lr=1e-3, foreach=False).step()
    for name, parameter in model.named_parameters():
        if name in delta.tensors:
            # Where a gradient is next to nothing its sign is rounding, and the first step of AdamW is the sign.
            close = torch.isclose(delta.tensors[name], parameter, atol=1e-5, rtol=0)
            assert close.float().mean() > 0.999, name
        else:
            torch.testing.assert_close(parameter, dict(tiny.model.named_parameters())[name], atol=0, rtol=0)


def test_padding_changes_nothing(tiny: LoadedBackbone) -> None:
    rows = encode_all(tiny.tokenizer, EXAMPLES, chat_layout(tiny.tokenizer, None), 256).rows
    batch = collator(2)([{"input_ids": row.ids, "labels": row.labels} for row in rows])
    assert batch["input_ids"].shape == (4, max(len(row.ids) for row in rows))
    assert batch["attention_mask"].sum() == sum(len(row.ids) for row in rows)
    n_tokens = sum(row.loss_tokens for row in rows)
    assert int((batch["labels"] != IGNORED).sum()) == n_tokens
    with torch.no_grad():
        logits = tiny.model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
        assert float(token_mean_loss(logits, batch["labels"], n_tokens)) == pytest.approx(float(by_hand(tiny, rows)), rel=1e-5)


def test_training_reduces_the_loss_and_leaves_the_backbone(tiny: LoadedBackbone) -> None:
    before = snapshot(tiny)
    delta = fit(tiny, small(epochs=12, learning_rate=3e-3))
    assert_untouched(tiny, before)
    log = delta.card["log"]
    assert len(log) == 24 and log[-1]["loss"] < 0.7 * log[0]["loss"]
    assert log[0]["learning_rate"] == 0.0 and log[2]["learning_rate"] > log[-1]["learning_rate"] > 0
    assert delta.first_changed_layer == 0 and set(delta.tensors) <= set(before)
    assert any("embed_tokens" in name for name in delta.tensors) and any("norm" in name for name in delta.tensors)
    cost = delta.card["cost"]
    total = sum(p.numel() for p in tiny.model.parameters())
    assert cost["trainable_parameters"] == cost["total_parameters"] == total and cost["trainable_share"] == 1
    assert cost["floor_bytes"] == 16 * total and cost["steps"] == 24 and cost["training_items"] == 4
    rows = encode_all(tiny.tokenizer, EXAMPLES, chat_layout(tiny.tokenizer, None), 256).rows
    assert cost["training_tokens"] == 12 * sum(len(row.ids) for row in rows)
    assert delta.card["pools"]["bactrian_x/zh"] == {"rows": 9, "used": 1, "empty": 1, "too_long": 0, "truncated": 0}
    assert 0.5 < delta.card["changed_values"] <= 1


def test_saved_and_loaded_it_gives_the_same_logits(tiny: LoadedBackbone, tmp_path) -> None:
    delta = fit(tiny, small())
    ids = torch.tensor([[0, 10, 20, 30]])
    plain = tiny.model(ids).logits
    with delta.applied(tiny, "zh"):
        changed = tiny.model(ids).logits
    assert not torch.equal(plain, changed) and torch.equal(tiny.model(ids).logits, plain)
    delta.save(tmp_path / "sft")
    loaded = Delta.load(tmp_path / "sft", tiny.checkpoint.digest)
    with loaded.applied(tiny, "zh"):
        assert torch.equal(tiny.model(ids).logits, changed)
    assert loaded.digest == delta.digest


def test_same_seed_same_delta(tiny: LoadedBackbone) -> None:
    one = fit(tiny, small(epochs=3))
    torch.rand(7)
    assert fit(tiny, small(epochs=3)).digest == one.digest
    assert fit(tiny, small(epochs=3, seed=7)).digest != one.digest


def test_checkpointing_changes_nothing_but_memory(tiny: LoadedBackbone) -> None:
    plain, kept = fit(tiny, small()), fit(tiny, small(checkpointing=True))
    assert [s["loss"] for s in kept.card["log"]] == pytest.approx([s["loss"] for s in plain.card["log"]], rel=1e-4)


@pytest.mark.parametrize("name", ["bfloat16", "float16"])
def test_a_16_bit_backbone_is_trained_in_fp32(tiny: LoadedBackbone, name: str) -> None:
    dtype = getattr(torch, name)
    tiny.model.to(dtype)
    before = snapshot(tiny)
    delta = fit(tiny, small(epochs=6, learning_rate=1e-3))
    assert_untouched(tiny, before)
    assert {t.dtype for t in delta.tensors.values()} == {dtype}
    assert delta.card["log"][-1]["loss"] < delta.card["log"][0]["loss"]
    # Computing with another precision in the same process must not stay: fp32 is exact again.
    tiny.model.float()
    assert math.isfinite(fit(tiny, small()).card["log"][0]["loss"])


def test_tied_embeddings_stay_tied(tiny: LoadedBackbone) -> None:
    tiny.model.config.tie_word_embeddings = True
    tiny.model.tie_weights()
    before = snapshot(tiny)
    delta = fit(tiny, small())
    assert_untouched(tiny, before)
    assert "model.embed_tokens.weight" in delta.tensors and "lm_head.weight" not in delta.tensors
    with delta.applied(tiny, "zh"):
        assert torch.equal(tiny.model.lm_head.weight, delta.tensors["model.embed_tokens.weight"])
    assert_untouched(tiny, before)


def test_a_loss_that_is_not_finite_stops_with_the_last_good_state(tiny: LoadedBackbone, monkeypatch: pytest.MonkeyPatch) -> None:
    from lensbench.methods.sft import callbacks

    two = fit(tiny, small(epochs=2)).card["log"][:2]
    real, calls = callbacks.token_mean_loss, []

    def breaks(*args):
        calls.append(1)
        return real(*args) * (math.nan if len(calls) == 6 else 1.0)  # the second half of the third batch of two

    monkeypatch.setattr(callbacks, "token_mean_loss", breaks)
    before = snapshot(tiny)
    with pytest.raises(Diverged, match="the loss is not finite at step 3; stopped with the parameters of step 2") as caught:
        fit(tiny, small(epochs=2))
    assert isinstance(caught.value, RunError) and caught.value.step == 3
    kept = caught.value.delta
    assert [s["loss"] for s in kept.card["log"]] == pytest.approx([s["loss"] for s in two]) and kept.card["cost"]["steps"] == 2
    assert kept.tensors and all(torch.isfinite(t).all() for t in kept.tensors.values())
    assert_untouched(tiny, before)


def test_gradients_that_are_not_finite_stop_before_the_step(tiny: LoadedBackbone, monkeypatch: pytest.MonkeyPatch) -> None:
    from lensbench.methods.sft import callbacks

    real = callbacks.token_mean_loss

    def infinite_slope(logits, *args):
        logits.register_hook(lambda gradient: gradient * math.inf)
        return real(logits, *args)

    monkeypatch.setattr(callbacks, "token_mean_loss", infinite_slope)
    before = snapshot(tiny)
    with pytest.raises(Diverged, match="the gradient norm is not finite at step 1") as caught:
        fit(tiny, small())
    assert caught.value.delta.tensors == {}, "no step was taken"
    assert_untouched(tiny, before)


def test_the_backbone_comes_back_after_any_error(tiny: LoadedBackbone) -> None:
    before = snapshot(tiny)
    with pytest.raises(ZeroDivisionError), trainee(tiny, small()) as student:
        for parameter in student.trained:
            parameter.data.zero_()
        raise ZeroDivisionError
    assert_untouched(tiny, before)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch_size": 4}, "nothing would be trained"),
        ({"max_length": 4096}, "more than the 1024 positions"),
        ({"max_length": 16}, "no example is left"),
    ],
)
def test_what_cannot_be_trained_is_refused_before(tiny: LoadedBackbone, changes: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        fit(tiny, small(**changes))


def test_configurations_that_cannot_be() -> None:
    with pytest.raises(UsageError, match="does not divide batch_size 2"):
        small(micro_batch=3).check(["zh"])
    with pytest.raises(UsageError, match="needs a target language"):
        small().check([])


def test_lora_without_peft_is_told_before_anything_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UnavailableError, match="needs the package 'peft'"):
        small(lora_rank=4).check(["zh"])


@pytest.mark.parametrize(
    ("names", "layer"),
    [(["m.layers.2.a", "m.layers.10.b"], 2), (["m.layers.2.a", "m.norm.weight"], 0), (["m.layers_2.a"], 0), ([], 0)],
)
def test_first_changed_layer(names: list[str], layer: int) -> None:
    assert first_changed_layer(names, "m.layers") == layer


def weights_of(adapter: Adapter, loaded: LoadedBackbone) -> dict[str, torch.Tensor]:
    return dict(adapter.merged({name: p.detach() for name, p in loaded.model.named_parameters()}))


@pytest.mark.parametrize("name", ["float32", "bfloat16"])
def test_lora_leaves_an_adapter(tiny: LoadedBackbone, name: str) -> None:
    pytest.importorskip("peft")
    dtype = getattr(torch, name)
    tiny.model.to(dtype)
    before = snapshot(tiny)
    adapter = fit(tiny, small(lora_rank=4, epochs=12, learning_rate=2e-2))
    assert_untouched(tiny, before)
    log = adapter.card["log"]
    assert log[-1]["loss"] < 0.8 * log[0]["loss"]
    merged = weights_of(adapter, tiny)
    assert set(merged) == {n for n in before if "_proj.weight" in n}
    change = (merged["model.layers.0.self_attn.q_proj.weight"] - before["model.layers.0.self_attn.q_proj.weight"]).float()
    if dtype == torch.float32:
        assert int(torch.linalg.matrix_rank(change, rtol=1e-4)) == 4
    cost = adapter.card["cost"]
    assert 0 < cost["trainable_share"] < 0.5 and 0.9 < adapter.card["changed_values"] <= 1
    frozen = sum(t.numel() * t.element_size() for t in dict(tiny.model.named_parameters()).values())
    assert cost["floor_bytes"] == frozen + 16 * cost["trainable_parameters"]
    # The merged weights do what the adapters did: the loss goes on falling from where it ended.
    rows = encode_all(tiny.tokenizer, EXAMPLES, chat_layout(tiny.tokenizer, None), 256).rows
    with adapter.applied(tiny, "zh"), torch.no_grad():
        assert float(by_hand(tiny, rows)) < 0.8 * log[0]["loss"]
    assert_untouched(tiny, before)


def test_lora_on_some_modules(tiny: LoadedBackbone) -> None:
    pytest.importorskip("peft")
    adapter = fit(tiny, small(lora_rank=2, lora_targets=["3.self_attn.q_proj"]))
    assert set(weights_of(adapter, tiny)) == {"model.layers.3.self_attn.q_proj.weight"} and adapter.first_changed_layer == 3
    before = snapshot(tiny)
    with pytest.raises(UsageError, match="nonsense"):
        fit(tiny, small(lora_rank=2, lora_targets=["nonsense"]))
    assert_untouched(tiny, before)
