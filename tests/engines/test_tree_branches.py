"""Variants that share blocks are scored together as each is alone."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tree_help import as_requests, branch, delta, same_as_alone, together
from tries import Requests, requests

from lensbench.backbones.load import LoadedBackbone
from lensbench.engines.layer_sharing import BASE_BRANCH, Branch
from lensbench.engines.protocol import TokenRequest
from lensbench.engines.reference.lm import LensLM
from lensbench.engines.tree.scorer import TreeScorer

ASKED: list[TokenRequest] = [
    (("", ""), [*range(40), *range(i, i + 12)], [(9 * i + k) % 250 for k in range(n)]) for i in range(9) for n in (1, 5)
]


@pytest.mark.parametrize("starts", [(2,), (3,), (0,), (0, 2), (1, 2, 3), (3, 3, 3), (0, 0)])
@pytest.mark.parametrize("with_base", [True, False])
def test_same_as_alone(tiny: LoadedBackbone, starts: tuple[int, ...], with_base: bool) -> None:
    branches = [branch(tiny, delta(tiny, start, seed=seed)) for seed, start in enumerate(starts)]
    assert tuple(each.start for each in branches) == starts
    same_as_alone(tiny, [BASE_BRANCH, *branches] if with_base else branches, ASKED, budget=90)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(asked=requests(tokens=9), starts=st.lists(st.integers(0, 3), min_size=0, max_size=5), budget=st.sampled_from([1, 30, 999]))
def test_same_as_alone_on_any_requests(tiny: LoadedBackbone, asked: Requests, starts: list[int], budget: int) -> None:
    branches = [branch(tiny, delta(tiny, start, seed=seed)) for seed, start in enumerate(starts)]
    same_as_alone(tiny, [*branches, BASE_BRANCH], as_requests(asked), budget)


def test_fifty_variants(tiny: LoadedBackbone) -> None:
    same_as_alone(tiny, [BASE_BRANCH, *(branch(tiny, delta(tiny, 2 + i % 2, seed=i)) for i in range(49))], ASKED[:6])


def test_head_norm_and_embeddings_count_as_what_they_change(tiny: LoadedBackbone) -> None:
    head, norm = delta(tiny, 0, "lm_head", declared=4), delta(tiny, 0, "model.norm", declared=4)
    embeddings = delta(tiny, 0, "embed_tokens", declared=2)
    branches = [branch(tiny, made) for made in (head, norm, embeddings)]
    assert [each.start for each in branches] == [4, 4, 0]
    same_as_alone(tiny, branches, ASKED)


def test_what_an_enhancement_says_is_checked(tiny: LoadedBackbone) -> None:
    assert branch(tiny, delta(tiny, 1, declared=3)).start == 1
    assert branch(tiny, delta(tiny, 3, declared=1)).start == 1


def test_blocks_are_computed_as_often_as_they_differ(tiny: LoadedBackbone) -> None:
    asked = [(("", ""), list(range(i, i + 50)), [5]) for i in range(4)]
    tokens = 200

    def block_tokens(*starts: int | None) -> int:
        branches = [BASE_BRANCH if s is None else branch(tiny, delta(tiny, s, seed=i)) for i, s in enumerate(starts)]
        return together(tiny, branches, asked)[1].block_tokens

    # The last block is computed for the 4 scored tokens only.
    assert block_tokens(None) == 3 * tokens + 4
    assert block_tokens(None, 3, 3) == 3 * tokens + 3 * 4
    assert block_tokens(None, 2) == 2 * tokens + 2 * (tokens + 4)
    assert block_tokens(0, 0) == 2 * (3 * tokens + 4)


def test_a_token_is_read_once_for_all(tiny: LoadedBackbone) -> None:
    branches = [BASE_BRANCH, *(branch(tiny, delta(tiny, 3, seed=seed)) for seed in range(3))]
    _, counts = together(tiny, branches, ASKED, budget=64)
    unique = {tuple((context + target)[:n]) for _, context, target in ASKED for n in range(1, len(context) + len(target))}
    assert counts.unique_tokens == len(unique)
    assert counts.forwarded_tokens <= 1.05 * len(unique)


def test_the_backbone_is_as_before(tiny: LoadedBackbone) -> None:
    before = {name: tensor.clone() for name, tensor in tiny.model.state_dict().items()}
    attention = tiny.model.config._attn_implementation

    @contextmanager
    def failing() -> Iterator[None]:
        raise KeyError("a variant that cannot be applied")
        yield

    with pytest.raises(KeyError):
        together(tiny, [BASE_BRANCH, Branch(failing, 2)], ASKED)
    assert tiny.model.config._attn_implementation == attention
    assert len(tiny.blocks) == 4
    after = tiny.model.state_dict()
    assert before.keys() == after.keys() and all(torch.equal(tensor, after[name]) for name, tensor in before.items())
    LensLM(tiny).score_tokens(ASKED)


def test_blocks_that_were_copied_are_read_too(tiny: LoadedBackbone) -> None:
    """A fit may put copies of blocks in the places of those it trained; a copy has a configuration of its own."""
    tiny.blocks[2] = copy.deepcopy(tiny.blocks[2])
    assert tiny.blocks[2].self_attn.config is not tiny.blocks[1].self_attn.config
    same_as_alone(tiny, [BASE_BRANCH], ASKED)


def test_out_of_memory_halves_the_budget_and_goes_on(tiny: LoadedBackbone, monkeypatch: pytest.MonkeyPatch) -> None:
    from lensbench.engines.tree.forward import PassRunner

    real, tried = PassRunner.run, []

    def limited(self, step):
        tried.append(step.tokens)
        if step.tokens > 70:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(self, step)

    monkeypatch.setattr(PassRunner, "run", limited)
    engine = TreeScorer(tiny, max_length=1024, budget=256)
    found = {i: a for s in engine.score(ASKED) for i, a in zip(s.requests, s.answers[0], strict=True)}
    expected = LensLM(tiny).score_tokens(ASKED)
    assert [found[i][0] for i in range(len(ASKED))] == pytest.approx([ll for ll, _ in expected], abs=2e-5)
    assert engine.budget == 64
    tried.clear()
    list(engine.score(ASKED))
    assert max(tried) <= 70


def test_another_error_is_not_taken_for_missing_memory(tiny: LoadedBackbone) -> None:
    if tiny.device.type != "cpu":
        pytest.skip("a token outside of the vocabulary ends the accelerator's context, and with it all other tests")
    engine = TreeScorer(tiny, max_length=1024)
    with pytest.raises((RuntimeError, IndexError)):
        list(engine.score([(("", ""), [10**6], [5])]))
    assert engine.budget == 16 * 64


def test_only_what_is_wanted_is_scored_with_the_same_bits(tiny: LoadedBackbone) -> None:
    branches = [BASE_BRANCH, branch(tiny, delta(tiny, 2))]
    whole, _ = together(tiny, branches, ASKED, budget=80)
    engine = TreeScorer(tiny, max_length=1024, budget=80)
    wanted = {16, 17}
    found = {i: [a[k] for a in s.answers] for s in engine.score(ASKED, branches, wanted) for k, i in enumerate(s.requests)}
    assert wanted == found.keys()
    assert all(found[i] == [mine[i] for mine in whole] for i in wanted)
    assert engine.counts.forwarded_tokens < engine.counts.unique_tokens
