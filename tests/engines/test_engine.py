"""The reference engine against lm-eval's own `hf` model and against one request at a time; the `lens-paper` way of scoring."""

from __future__ import annotations

import random

import pytest
import torch
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM

from lensbench.backbones.load import LoadedBackbone
from lensbench.engines.reference.lm import LensLM
from lensbench.tasks.build import choose_docs
from lensbench.tasks.schema import Sample

REQUESTS = [
    ("The cat sat on", " the mat."),
    ("The cat sat on", " a chair."),
    ("", "Hello there."),
    ("那只猫", "睡着了。"),
    ("A", "B"),
    ("A", "C"),
    ("x" * 1500, " the end"),
    ("The cat sat on", " the mat."),
    ("trailing space ", "word"),
]
"""Shared contexts, an empty one, one-token continuations, one longer than the window, a repeat."""


def ours(lm: LensLM) -> list[tuple[float, bool]]:
    return lm.score_tokens([lm.token_request(*request) for request in REQUESTS])


@pytest.mark.parametrize("batch_size", [1, 3, 16])
def test_equals_lm_eval_hf(tiny: LoadedBackbone, batch_size: int) -> None:
    hf = HFLM(pretrained=tiny.model, tokenizer=tiny.tokenizer, batch_size=4)
    instances = [Instance("loglikelihood", {}, request, 0) for request in REQUESTS]
    theirs = hf.loglikelihood(instances, disable_tqdm=True)
    for (ll, greedy), (their_ll, their_greedy) in zip(ours(LensLM(tiny, batch_size=batch_size)), theirs, strict=True):
        assert ll == pytest.approx(their_ll, abs=1e-3)
        assert greedy == their_greedy


def test_equals_one_request_at_a_time(tiny: LoadedBackbone) -> None:
    lm = LensLM(tiny, batch_size=16)
    for (ll, _), request in zip(ours(lm), REQUESTS, strict=True):
        _, context, target = lm.token_request(*request)
        ids = (context + target)[-(lm.max_length + 1) :]
        with torch.no_grad():
            logprobs = tiny.model(torch.tensor([ids[:-1]])).logits[0].log_softmax(-1)
        plain = sum(float(logprobs[len(ids) - 1 - len(target) + k, token]) for k, token in enumerate(target))
        assert ll == pytest.approx(plain, abs=1e-4)


def test_first_token_scores_are_the_logits_behind_the_prompt(tiny: LoadedBackbone) -> None:
    lm = LensLM(tiny)
    prompt = lm.apply_chat_template([{"role": "user", "content": "Which one?"}])
    found = lm.score_tokens([lm.token_request(prompt, letter, first_token=True) for letter in "ABCD"])
    ids = tiny.tokenizer.encode(prompt, add_special_tokens=False)
    with torch.no_grad():
        logprobs = tiny.model(torch.tensor([ids])).logits[0, -1].log_softmax(-1)
    letters = [tiny.tokenizer.encode(letter, add_special_tokens=False)[0] for letter in "ABCD"]
    for (ll, _), token in zip(found, letters, strict=True):
        assert ll == pytest.approx(float(logprobs[token]), abs=1e-4)


def test_the_sample_is_the_authors() -> None:
    random.seed(112)
    expected = random.sample(list(range(1511)), 1000)
    assert choose_docs(1511, Sample(n=1000, seed=112), None) == expected
    assert choose_docs(1511, Sample(n=1000, seed=112), 7) == expected[:7]
    assert choose_docs(500, Sample(n=1000, seed=112), None) == list(range(500))


@pytest.mark.parametrize("first_token", [False, True])
@pytest.mark.parametrize("adds_bos", [False, True])
def test_requests_encoded_together_are_those_encoded_one_by_one(
    tiny: LoadedBackbone, first_token: bool, adds_bos: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tokenizers.processors import TemplateProcessing

    if adds_bos:
        tiny.tokenizer.backend_tokenizer.post_processor = TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    lm = LensLM(tiny)
    chats = [("<s><user>hi<end><assistant>\n", "A"), ("<s><user>hi<end><assistant>\n", "B"), ("two spaces  ", " and more ")]
    requests = [*REQUESTS, *chats] if not first_token else [r for r in [*REQUESTS, *chats] if r[0]]
    expected = [lm.token_request(*request, first_token=first_token) for request in requests]
    assert adds_bos == all(context[0] == 0 for _, context, _ in expected if len(context) > 1)

    def refuse(*args: object, **keywords: object) -> None:
        raise AssertionError("encoded one by one")

    calls: list[list[str]] = []
    tokenizer_class, call = type(tiny.tokenizer), type(tiny.tokenizer).__call__
    monkeypatch.setattr(tokenizer_class, "__call__", lambda self, texts, **k: (calls.append(texts), call(self, texts, **k))[1])
    if not first_token:
        # What follows an empty context is encoded by itself.
        requests, expected = [r for r in requests if r[0]], [e for e in expected if e[0][0]]
        monkeypatch.setattr(tokenizer_class, "encode", refuse)
    assert lm.token_requests(requests, first_token=first_token) == expected
    assert len(calls) <= 2 and all(len(texts) == len(set(texts)) for texts in calls)
