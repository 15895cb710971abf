"""Several variants answering in one batch: the same answers as each alone, shared blocks run once."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from families import FAMILIES, VOCABULARY, random_model
from tree_help import branch, delta, intervention

from lensbench.backbones.load import LoadedBackbone
from lensbench.engines.generation.decode import generate_answers, places_for
from lensbench.engines.layer_sharing import BASE_BRANCH, Branch, held_on_device
from lensbench.engines.protocol import AnswerRequest
from lensbench.errors import RunError
from lensbench.methods.base import Enhancement


def prompts_of(loaded: LoadedBackbone) -> list[tuple[int, ...]]:
    draw = torch.Generator().manual_seed(9)
    lengths = (5, 17, 30, 5, 1, 12)
    return [tuple(torch.randint(3, VOCABULARY, (n,), generator=draw).tolist()) for n in lengths]


@pytest.fixture(params=FAMILIES)
def family(request: pytest.FixtureRequest, tiny: LoadedBackbone) -> LoadedBackbone:
    model = random_model(request.param)
    model.generation_config.eos_token_id = 1
    return dataclasses.replace(tiny, model=model)


CUTS = (3, 20, 11, 1, 16, 8)


def under_each_variant(prompts: list[tuple[int, ...]], many: int, **settings: Any) -> list[AnswerRequest]:
    """Item by item, each under every variant."""
    return [
        AnswerRequest(prompt, cut, variant=variant, seed=place, **settings)
        for place, (prompt, cut) in enumerate(zip(prompts, CUTS, strict=True))
        for variant in range(many)
    ]


def alone(loaded: LoadedBackbone, deltas: list[Enhancement | None], requests: list[AnswerRequest]) -> list[str]:
    """Each variant's answers with it applied to the model, by the plain path."""
    texts: dict[int, str] = {}
    for variant, made in enumerate(deltas):
        mine = [index for index, request in enumerate(requests) if request.variant == variant]
        asked = [requests[index] for index in mine]
        if made is None:
            found = generate_answers(loaded, asked, batch_size=4)
        else:
            with made.applied(loaded, "zh"):
                found = generate_answers(loaded, asked, batch_size=4)
        texts.update({index: answer.text for index, answer in zip(mine, found, strict=True)})
    return [texts[index] for index in range(len(requests))]


def test_answers_are_those_of_each_alone(family: LoadedBackbone) -> None:
    check_answers(family, 5)


@pytest.mark.parametrize("batch_size", [1, 100])
def test_the_batch_does_not_matter(tiny: LoadedBackbone, batch_size: int) -> None:
    check_answers(dataclasses.replace(tiny, model=random_model("llama")), batch_size)


def check_answers(family: LoadedBackbone, batch_size: int) -> None:
    deltas = [None, delta(family, 2, seed=1), delta(family, 3, seed=2), delta(family, 1, seed=3)]
    requests = under_each_variant(prompts_of(family), len(deltas))
    expected = alone(family, deltas, requests)
    branches = [BASE_BRANCH if made is None else branch(family, made) for made in deltas]
    before = {name: p.data_ptr() for name, p in family.model.named_parameters()}
    found = generate_answers(family, requests, batch_size=batch_size, branches=branches)
    assert [answer.text for answer in found] == expected
    assert len(set(expected)) > len(prompts_of(family)), "the variants answer alike"
    assert {name: p.data_ptr() for name, p in family.model.named_parameters()} == before


def test_a_variant_with_a_head_of_its_own(tiny: LoadedBackbone) -> None:
    tiny = dataclasses.replace(tiny, model=random_model("llama"))
    own = {name: 1.5 * p.detach() for name, p in tiny.model.named_parameters() if "lm_head" in name or "model.norm" in name}
    with_head = delta(tiny, 3, seed=2)
    with_head.tensors.update(own)
    deltas: list[Enhancement | None] = [delta(tiny, 2, seed=1), with_head, None]
    requests = under_each_variant(prompts_of(tiny), 3)
    branches = [BASE_BRANCH if made is None else branch(tiny, made) for made in deltas]
    assert branches[1].start == 3
    found = generate_answers(tiny, requests, batch_size=7, branches=branches)
    assert [answer.text for answer in found] == alone(tiny, deltas, requests)


def test_sampled_answers_are_those_of_each_alone(tiny: LoadedBackbone) -> None:
    tiny = dataclasses.replace(tiny, model=random_model("llama"))
    deltas = [None, delta(tiny, 2, seed=1)]
    requests = under_each_variant(prompts_of(tiny), 2, temperature=0.9)
    branches = [BASE_BRANCH, branch(tiny, deltas[1])]  # type: ignore[arg-type]
    found = generate_answers(tiny, requests, batch_size=100, branches=branches)
    assert [answer.text for answer in found] == alone(tiny, deltas, requests)


@pytest.mark.parametrize("values", ["clean", "running"])
@pytest.mark.parametrize(("site", "layers"), [("hidden", [1, 3]), ("emb", [0]), ("attn", [0, 2])])
def test_interventions_change_prompts_and_go_on_as_the_backbone(
    tiny: LoadedBackbone, site: str, layers: list[int], values: str
) -> None:
    tiny = dataclasses.replace(tiny, model=random_model("llama"))
    deltas = [
        intervention(tiny, layers, site, values),
        None,
        delta(tiny, 2, seed=1),
        intervention(tiny, layers, site, values, seed=5),
    ]
    requests = under_each_variant(prompts_of(tiny), len(deltas))
    branches = [BASE_BRANCH if made is None else branch(tiny, made) for made in deltas]
    assert [one.is_patch for one in branches] == [True, False, False, True]
    expected = alone(tiny, deltas, requests)
    for batch_size in (3, 100):
        found = generate_answers(tiny, requests, batch_size=batch_size, branches=branches)
        assert [answer.text for answer in found] == expected
    assert expected[0::4] != expected[1::4] and expected[0::4] != expected[3::4]
    only = [request for request in requests if request.variant == 0]
    assert [answer.text for answer in generate_answers(tiny, only, branches=branches[:1])] == expected[0::4]


def test_shared_blocks_read_a_prompt_once(tiny: LoadedBackbone) -> None:
    deltas = [delta(tiny, 3, seed=seed) for seed in range(5)]
    branches = [BASE_BRANCH, *(branch(tiny, made) for made in deltas)]
    read = dict.fromkeys(range(4), 0)

    def count(index: int) -> Any:
        def hook(module: Any, inputs: Any, output: Any) -> None:
            read[index] += inputs[0].shape[0] * inputs[0].shape[1]

        return hook

    for index, block in enumerate(tiny.blocks):
        block.register_forward_hook(count(index))
    prompt = tuple(range(3, 43))
    generate_answers(tiny, [AnswerRequest(prompt, 1, variant=variant) for variant in range(6)], branches=branches)
    assert read == {0: 40, 1: 40, 2: 40, 3: 6 * 40}


def test_tensors_are_moved_once(tiny: LoadedBackbone) -> None:
    made, applications = delta(tiny, 2, seed=1), 0
    plain = branch(tiny, made)

    def counted() -> Any:
        nonlocal applications
        applications += 1
        return plain.applied()

    held = held_on_device(tiny, Branch(counted, plain.start))
    ids = torch.tensor([[5, 6, 7]])
    with made.applied(tiny, "zh"):
        expected = tiny.model(ids).logits
    for _ in range(3):
        with held.applied():
            assert torch.equal(tiny.model(ids).logits, expected)
        assert not torch.equal(tiny.model(ids).logits, expected)
    with pytest.raises(ZeroDivisionError), held.applied():
        raise ZeroDivisionError
    assert not torch.equal(tiny.model(ids).logits, expected)
    assert applications == 1


@pytest.mark.parametrize("several", [False, True])
def test_out_of_memory_halves_the_batch_and_loses_no_answer(
    tiny: LoadedBackbone, several: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = dataclasses.replace(tiny, model=random_model("llama"))
    branches = [BASE_BRANCH, branch(tiny, delta(tiny, 2, seed=1))] if several else []
    requests = under_each_variant(prompts_of(tiny), 2 if several else 1)
    expected = [answer.text for answer in generate_answers(tiny, requests, branches=branches)]
    block, rows = tiny.blocks[0], []
    forward = block.forward

    def greedy_for_memory(states: torch.Tensor, *args: Any, **keywords: Any) -> Any:
        rows.append(len(states))
        if len(states) > 2 and states.shape[1] == 1:
            raise torch.OutOfMemoryError("not enough")
        return forward(states, *args, **keywords)

    monkeypatch.setattr(block, "forward", greedy_for_memory)
    seen: list[int] = []
    found = generate_answers(tiny, requests, branches=branches, on_answer=lambda index, answer: seen.append(index))
    assert [answer.text for answer in found] == expected
    assert sorted(seen) == list(range(len(requests))), "an answer was handed over twice or never"
    monkeypatch.setattr(block, "forward", lambda *args, **keywords: (_ for _ in ()).throw(torch.OutOfMemoryError("never enough")))
    with pytest.raises(RunError, match="one answer"):
        generate_answers(tiny, requests, branches=branches)
    monkeypatch.setattr(block, "forward", lambda *args, **keywords: (_ for _ in ()).throw(RuntimeError("broken")))
    with pytest.raises(RuntimeError, match="broken"):
        generate_answers(tiny, requests, branches=branches)


def test_places_fit_into_half_of_the_free_memory(tiny: LoadedBackbone, monkeypatch: pytest.MonkeyPatch) -> None:
    from lensbench.engines.generation import decode

    requests = [AnswerRequest((5,) * 30, 20), AnswerRequest((5,) * 10, 10)]
    # Keys and values, 4 layers, 2 heads of 8 numbers of 4 bytes: 512 bytes a token, 50 tokens at most.
    monkeypatch.setattr(decode, "free_bytes", lambda device: 2 * 512 * 50 * 21)
    assert places_for(tiny, requests, 16, 1) == 16
    assert places_for(tiny, requests, 16, 3) == 21
    assert places_for(tiny, requests, 8, 2) == 16
    monkeypatch.setattr(decode, "free_bytes", lambda device: 0)
    assert places_for(tiny, requests, 16, 3) == 16
    monkeypatch.setattr(decode, "free_bytes", lambda device: None)
    assert places_for(tiny, requests, 16, 3) == 16


@pytest.mark.skipif(not Path("/proc/meminfo").exists(), reason="this system does not tell")
def test_free_memory_is_read() -> None:
    from lensbench.memory import free_bytes

    free = free_bytes(torch.device("cpu"))
    assert free is not None and 2**20 < free < 2**50
