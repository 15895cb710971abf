"""The moving batch against one answer at a time by transformers' own `generate`, and its seeds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import save_tiny_model

from lensbench.backbones import get_backbone
from lensbench.backbones.load import LoadedBackbone, load_backbone
from lensbench.backbones.resolve import find_checkpoint
from lensbench.engines.generation.decode import generate_answers
from lensbench.engines.generation.generate import generate_reference
from lensbench.engines.protocol import AnswerRequest

TEXTS = ["A", "Why is the sky blue?", "x" * 90, "你好，今天天气怎么样？", "b" * 40, "Tell me.", "c" * 200, "?", "d" * 33, "سؤال"]
LENGTHS = [3, 40, 17, 1, 25, 60, 9, 33, 2, 50]


def prompts(loaded: LoadedBackbone) -> list[tuple[int, ...]]:
    return [tuple(loaded.tokenizer.encode(text)) for text in TEXTS]


def greedy(loaded: LoadedBackbone) -> list[AnswerRequest]:
    return [AnswerRequest(ids, n) for ids, n in zip(prompts(loaded), LENGTHS, strict=True)]


def loaded_from(folder: Path) -> LoadedBackbone:
    backbone = get_backbone(str(folder))
    return load_backbone(backbone, find_checkpoint(backbone), device="cpu", dtype="float32")


@pytest.mark.parametrize("batch_size", [1, 3, 10, 64])
def test_greedy_answers_equal_the_reference(tiny: LoadedBackbone, batch_size: int) -> None:
    slow = [generate_reference(tiny, ids, n) for ids, n in zip(prompts(tiny), LENGTHS, strict=True)]
    fast = generate_answers(tiny, greedy(tiny), batch_size=batch_size)
    assert [(a.text, a.tokens, a.finish) for a in fast] == [(a.text, a.tokens, a.finish) for a in slow]
    assert len({a.tokens for a in fast}) > 3, "answers of one length would not show that rows leave the batch"


def test_answers_end_at_any_of_the_end_tokens(tiny: LoadedBackbone) -> None:
    free = generate_answers(tiny, greedy(tiny), batch_size=4)
    ids = tiny.tokenizer.encode(free[5].text, add_special_tokens=False)
    # Llama-3 has two; here a byte that the longest answer is known to contain becomes the second.
    tiny.model.generation_config.eos_token_id = [tiny.tokenizer.eos_token_id, ids[4]]
    slow = [generate_reference(tiny, p, n) for p, n in zip(prompts(tiny), LENGTHS, strict=True)]
    fast = generate_answers(tiny, greedy(tiny), batch_size=4)
    assert fast[5].finish == "stop" and fast[5].tokens <= 4
    assert [(a.text, a.finish) for a in fast] == [(a.text, a.finish) for a in slow]


def test_a_sliding_window_is_decoded_and_joined(tmp_path: Path) -> None:
    folder = save_tiny_model(tmp_path / "mistral", kind="mistral")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "sliding_window": 16}))
    loaded = loaded_from(folder)
    slow = [generate_reference(loaded, ids, n) for ids, n in zip(prompts(loaded), LENGTHS, strict=True)]
    fast = generate_answers(loaded, greedy(loaded), batch_size=4)
    assert [a.text for a in fast] == [a.text for a in slow]


def test_sampled_answers_depend_on_the_seed_only(tiny: LoadedBackbone) -> None:
    requests = [
        AnswerRequest(ids, n, temperature=0.8, seed=i) for i, (ids, n) in enumerate(zip(prompts(tiny), LENGTHS, strict=True))
    ]
    whole = [a.text for a in generate_answers(tiny, requests, batch_size=10)]
    assert [a.text for a in generate_answers(tiny, requests, batch_size=3)] == whole
    assert [a.text for a in generate_answers(tiny, requests[::-1], batch_size=4)][::-1] == whole
    alone = generate_answers(tiny, [requests[5]], batch_size=1)
    assert alone[0].text == whole[5]
    other = [AnswerRequest(r.prompt, r.max_new_tokens, 0.8, r.seed + 1000) for r in requests]
    assert [a.text for a in generate_answers(tiny, other, batch_size=10)] != whole


def test_sampling_follows_the_distribution(tiny: LoadedBackbone) -> None:
    import torch
    from scipy import stats

    ids = prompts(tiny)[1]
    draws = generate_answers(tiny, [AnswerRequest(ids, 1, 1.0, seed) for seed in range(1500)], batch_size=500)
    with torch.no_grad():
        shares = tiny.model(torch.tensor([ids])).logits[0, -1].double().softmax(-1)
    tokens = torch.tensor([0.0] * len(shares))
    for draw in draws:
        token = tiny.tokenizer.eos_token_id if draw.finish == "stop" else None
        if token is None and len(draw.text) == 1 and draw.text.isascii():
            (token,) = tiny.tokenizer.encode(draw.text, add_special_tokens=False)
        if token is not None:
            tokens[token] += 1
    # Bytes that are no character of their own cannot be told from the text; the others must come as often as they should.
    seen = [i for i in range(len(shares)) if i == tiny.tokenizer.eos_token_id or _ascii(tiny, i)]
    expected = shares[seen] / shares[seen].sum() * tokens[seen].sum()
    keep = expected > 5
    chi = float((((tokens[seen] - expected) ** 2 / expected)[keep]).sum())
    assert stats.chi2.sf(chi, int(keep.sum()) - 1) > 1e-4


def _ascii(loaded: LoadedBackbone, token: int) -> bool:
    text = loaded.tokenizer.decode([token], skip_special_tokens=True)
    return len(text) == 1 and text.isascii() and loaded.tokenizer.encode(text, add_special_tokens=False) == [token]


def test_every_answer_is_handed_over_once_as_it_ends(tiny: LoadedBackbone) -> None:
    seen: list[int] = []
    answers = generate_answers(tiny, greedy(tiny), batch_size=10, on_answer=lambda index, answer: seen.append(index))
    assert sorted(seen) == list(range(len(TEXTS)))
    # All are in the batch at once, so the short ones do not wait for the long ones.
    assert seen.index(3) < seen.index(5)
    assert all(a.seconds > 0 for a in answers)
