"""Methods as objects on plain models of transformers: the model stays, the enhancement acts, and data are refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import save_tiny_model
from transformers import AutoModelForCausalLM, AutoTokenizer

import lensbench as lb

EN = [f"the cat number {n} sits by the old door" for n in range(12)]
ZH = [f"第 {n} 只猫坐在那扇旧门边" for n in range(12)]
PAIRS = list(zip(EN, ZH, strict=True))
QUIET = {"progress": lb.SilentProgress()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_model(tmp_path_factory.mktemp("objects") / "tiny")


@pytest.fixture
def model(folder: Path) -> Any:
    return AutoModelForCausalLM.from_pretrained(folder)


@pytest.fixture
def tokenizer(folder: Path) -> Any:
    return AutoTokenizer.from_pretrained(folder)


def state_of(model: Any) -> dict[str, torch.Tensor]:
    return {name: parameter.detach().clone() for name, parameter in model.named_parameters()}


def same(before: dict[str, torch.Tensor], model: Any) -> bool:
    return all(torch.equal(before[name], parameter) for name, parameter in model.named_parameters())


def test_lens_leaves_the_model_and_acts_while_applied(model: Any, tokenizer: Any, folder: Path, tmp_path: Path) -> None:
    before, words = state_of(model), tokenizer("那只猫", return_tensors="pt")
    model.train()
    next(model.parameters()).requires_grad_(False)
    delta = lb.Lens(rank=1).fit(model, tokenizer, texts={"en": EN, "zh": ZH}, parallel=PAIRS, **QUIET)
    assert same(before, model) and model.training
    assert [p.requires_grad for p in model.parameters()].count(False) == 1
    assert delta.card["config"]["rank"] == 1 and delta.card["cost"]["training_items"] == 12, "all that was given"
    model.eval()
    plain = model(**words).logits
    with delta.applied(model) as enhanced, torch.no_grad():
        assert enhanced is model
        changed = {name for name, parameter in model.named_parameters() if not torch.equal(before[name], parameter)}
        assert changed and all(name.startswith(("model.layers.2.", "model.layers.3.")) for name in changed)
        inside = model(**words).logits
        model.generate(**words, max_new_tokens=2)
    assert same(before, model) and not torch.equal(plain, inside)

    saved = delta.save(tmp_path / "saved")
    other = AutoModelForCausalLM.from_pretrained(folder)
    with lb.Lens().load(saved, other, tokenizer).applied(), torch.no_grad():
        assert torch.equal(other(**words).logits, inside)
    with delta.applied(other), torch.no_grad():
        assert torch.equal(other(**words).logits, inside), "another object with the same weights"
    stranger = AutoModelForCausalLM.from_pretrained(save_tiny_model(tmp_path / "stranger", seed=1))
    with pytest.raises(lb.UsageError, match="other weights"), delta.applied(stranger):
        pass
    with pytest.raises(lb.RunError):
        lb.Lens().load(saved, stranger, tokenizer)


def test_a_mapping_of_codes_serves_as_a_pair(model: Any, tokenizer: Any) -> None:
    mappings = [{"zh": zh, "en": en} for en, zh in PAIRS]
    first = lb.Lens().fit(model, tokenizer, texts={"zh": ZH, "en": EN}, parallel=mappings, **QUIET)
    second = lb.fit("lens", model, tokenizer, texts={"en": EN, "zh": ZH}, parallel=PAIRS, **QUIET)
    assert first.enhancement.digest == second.enhancement.digest


def test_an_intervention_needs_a_language(model: Any, tokenizer: Any) -> None:
    words = tokenizer("那只猫", return_tensors="pt")
    moved = lb.Incline(n_dev=2).fit(model, tokenizer, parallel=PAIRS, languages=["en", "zh"], **QUIET)
    with pytest.raises(lb.UsageError, match="language is needed"), moved.applied(model):
        pass
    with torch.no_grad():
        plain = model(**words).logits
        with moved.applied(model, language="zh"):
            assert not torch.equal(model(**words).logits, plain)
        with moved.applied(model, language="en"):
            assert torch.equal(model(**words).logits, plain)


def test_methods_learn_from_answers_and_pairs(model: Any, tokenizer: Any) -> None:
    before = state_of(model)
    answers = {"en": PAIRS, "zh": [(zh, en) for en, zh in PAIRS]}
    tuned = lb.Xsft(warmup_ratio=0).fit(model, tokenizer, answers=answers, **QUIET)
    aligned = lb.Qalign(warmup_ratio=0).fit(model, tokenizer, parallel=PAIRS, languages=["en", "zh"], **QUIET)
    assert same(before, model) and tuned.card["cost"]["training_items"] == 24 and aligned.card["cost"]["training_items"] == 12


@pytest.mark.parametrize(
    ("settings", "data", "says"),
    [
        ({"rnk": 1}, {}, "unknown key 'rnk'; did you mean 'rank'"),
        ({"epochs": "many"}, {}, "epochs"),
        ({}, {}, "no target language was given"),
        ({}, {"texts": {"en": EN, "zhh": ZH}}, "unknown language 'zhh'"),
        ({}, {"texts": {"en": EN, "zh": ZH}}, "no rows of bactrian_x were given in English"),
        ({}, {"parallel": PAIRS, "languages": ["en", "zh"]}, "no rows of aya .*\n  Give them as `texts` or `answers`\\."),
        ({}, {"texts": {"en": EN, "zh": "text"}, "parallel": PAIRS}, r"texts\['zh'\] must be a list of texts"),
        ({}, {"texts": {"en": EN, "zh": ZH}, "parallel": [("one",)]}, r"parallel\[0\] must hold one text for each of en, zh"),
        ({}, {"texts": {"en": ["", *EN], "zh": ZH}, "parallel": PAIRS}, "aya in English, as given, row 1, column 'inputs'"),
        ({"rank": 2}, {"texts": {"en": EN, "zh": ZH}, "parallel": PAIRS}, "rank 2 is out of range"),
        ({"n_probe": 13}, {"texts": {"en": EN, "zh": ZH}, "parallel": PAIRS}, "13 probing texts in English were requested"),
    ],
)
def test_what_is_wrong_is_said(settings: dict[str, Any], data: dict[str, Any], says: str, model: Any, tokenizer: Any) -> None:
    with pytest.raises(lb.LensbenchError, match=says):
        lb.Lens(**settings).fit(model, tokenizer, **data, **QUIET)


def test_other_objects_are_refused_by_name(model: Any, tokenizer: Any) -> None:
    with pytest.raises(lb.UsageError, match="model must be a model of transformers, found str"):
        lb.score("smollm2-135m", tokenizer, [("a", "b")])  # type: ignore[arg-type]
    with pytest.raises(lb.UsageError, match="tokenizer must be a tokenizer"):
        lb.score(model, None, [("a", "b")])  # type: ignore[arg-type]
    with pytest.raises(lb.UsageError, match="pairs of context and continuation"):
        lb.score(model, tokenizer, ["ab"])  # type: ignore[list-item]
    with pytest.raises(lb.UsageError, match="unknown method 'lenss'"):
        lb.fit("lenss", model, tokenizer)


def test_scores_are_the_models_own(model: Any, tokenizer: Any) -> None:
    """Against the logits of transformers, one request at a time."""
    model.eval()
    requests = [("the cat", " sits"), ("the cat", " sat"), ("", "door"), ("那只猫", "坐")]
    for (context, continuation), found in zip(requests, lb.score(model, tokenizer, requests), strict=True):
        front = tokenizer(context)["input_ids"] or [tokenizer.bos_token_id]
        if front[0] != tokenizer.bos_token_id and context == "":
            front = [tokenizer.bos_token_id, *front]
        target = tokenizer(continuation, add_special_tokens=False)["input_ids"]
        with torch.no_grad():
            logits = model(torch.tensor([front + target])).logits[0].log_softmax(-1)
        steps = range(len(front) - 1, len(front) + len(target) - 1)
        wanted = sum(float(logits[step, token]) for step, token in zip(steps, target, strict=True))
        assert found.loglikelihood == pytest.approx(wanted, abs=1e-3) and found.tokens == len(target)
        assert found.greedy == all(int(logits[step].argmax()) == token for step, token in zip(steps, target, strict=True))
