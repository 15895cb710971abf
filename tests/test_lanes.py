"""Several variants answering in one batch: the same answers as each alone, shared blocks run once."""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path
from typing import Any

import pytest
import torch
from test_tree_families import FAMILIES, VOCABULARY, random_model

from lensbench.backbones.load import LoadedBackbone
from lensbench.engine.branches import BASE_BRANCH, Branch, branch_of, held_on_device
from lensbench.engine.decode import AnswerRequest, generate_answers, places_for
from lensbench.errors import RunError
from lensbench.methods.delta import Delta


def delta(loaded: LoadedBackbone, start: int, seed: int, also: tuple[str, ...] = ()) -> Delta:
    """Changed tensors of the blocks from `start` up, and others by the end of their name."""
    draw = torch.Generator().manual_seed(seed)
    prefixes = tuple(f"{loaded.blocks_prefix}.{index}." for index in range(start, len(loaded.blocks)))
    tensors = {
        name: p.detach() + p.detach().abs().mean() * torch.randn(p.shape, generator=draw)
        for name, p in loaded.model.named_parameters()
        if name.startswith(prefixes) or name.endswith(also)
    }
    return Delta("lens", "tiny", "", start, tensors)


def branch(loaded: LoadedBackbone, made: Delta) -> Branch:
    found = branch_of(loaded, functools.partial(made.applied, loaded, "zh"), made.first_changed_layer)
    assert found is not None
    return found


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


def in_lanes(prompts: list[tuple[int, ...]], lanes: int, **settings: Any) -> list[AnswerRequest]:
    """Item by item, each under every variant."""
    return [
        AnswerRequest(prompt, cut, lane=lane, seed=place, **settings)
        for place, (prompt, cut) in enumerate(zip(prompts, CUTS, strict=True))
        for lane in range(lanes)
    ]


def alone(loaded: LoadedBackbone, deltas: list[Delta | None], requests: list[AnswerRequest]) -> list[str]:
    """Each variant's answers with it applied to the model, by the plain path."""
    texts: dict[int, str] = {}
    for lane, made in enumerate(deltas):
        mine = [index for index, request in enumerate(requests) if request.lane == lane]
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
    deltas = [None, delta(family, 2, 1), delta(family, 3, 2), delta(family, 1, 3)]
    requests = in_lanes(prompts_of(family), len(deltas))
    expected = alone(family, deltas, requests)
    branches = [BASE_BRANCH if made is None else branch(family, made) for made in deltas]
    before = {name: p.data_ptr() for name, p in family.model.named_parameters()}
    found = generate_answers(family, requests, batch_size=batch_size, branches=branches)
    assert [answer.text for answer in found] == expected
    assert len(set(expected)) > len(prompts_of(family)), "the variants answer alike"
    assert {name: p.data_ptr() for name, p in family.model.named_parameters()} == before


def test_a_variant_with_a_head_of_its_own(tiny: LoadedBackbone) -> None:
    tiny = dataclasses.replace(tiny, model=random_model("llama"))
    deltas = [delta(tiny, 2, 1), delta(tiny, 3, 2, also=("lm_head.weight", "model.norm.weight")), None]
    requests = in_lanes(prompts_of(tiny), 3)
    branches = [BASE_BRANCH if made is None else branch(tiny, made) for made in deltas]
    assert branches[1].start == 3
    found = generate_answers(tiny, requests, batch_size=7, branches=branches)
    assert [answer.text for answer in found] == alone(tiny, deltas, requests)


def test_sampled_answers_are_those_of_each_alone(tiny: LoadedBackbone) -> None:
    tiny = dataclasses.replace(tiny, model=random_model("llama"))
    deltas = [None, delta(tiny, 2, 1)]
    requests = in_lanes(prompts_of(tiny), 2, temperature=0.9)
    branches = [BASE_BRANCH, branch(tiny, deltas[1])]  # type: ignore[arg-type]
    found = generate_answers(tiny, requests, batch_size=100, branches=branches)
    assert [answer.text for answer in found] == alone(tiny, deltas, requests)


def test_shared_blocks_read_a_prompt_once(tiny: LoadedBackbone) -> None:
    deltas = [delta(tiny, 3, seed) for seed in range(5)]
    branches = [BASE_BRANCH, *(branch(tiny, made) for made in deltas)]
    read = dict.fromkeys(range(4), 0)

    def count(index: int) -> Any:
        def hook(module: Any, inputs: Any, output: Any) -> None:
            read[index] += inputs[0].shape[0] * inputs[0].shape[1]

        return hook

    for index, block in enumerate(tiny.blocks):
        block.register_forward_hook(count(index))
    prompt = tuple(range(3, 43))
    generate_answers(tiny, [AnswerRequest(prompt, 1, lane=lane) for lane in range(6)], branches=branches)
    assert read == {0: 40, 1: 40, 2: 40, 3: 6 * 40}


def test_tensors_are_moved_once(tiny: LoadedBackbone) -> None:
    made, applications = delta(tiny, 2, 1), 0
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


@pytest.mark.parametrize("lanes", [False, True])
def test_out_of_memory_halves_the_batch_and_loses_no_answer(
    tiny: LoadedBackbone, lanes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = dataclasses.replace(tiny, model=random_model("llama"))
    branches = [BASE_BRANCH, branch(tiny, delta(tiny, 2, 1))] if lanes else []
    requests = in_lanes(prompts_of(tiny), 2 if lanes else 1)
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
    from lensbench.engine import decode

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
