"""The tree engine against the reference engine, for a tiny random model of every family."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from families import FAMILIES, VOCABULARY, random_model
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transformers import AutoConfig, AutoModelForCausalLM
from tree_help import as_requests, branch, intervention, same_as_alone, same_as_reference
from tries import Requests, requests

from lensbench.backbones.load import LoadedBackbone
from lensbench.engines.blocks import CannotPack
from lensbench.engines.layer_sharing import BASE_BRANCH
from lensbench.engines.protocol import TokenRequest
from lensbench.engines.tree.lm import TreeLM


@pytest.fixture(scope="module", params=FAMILIES)
def backbone(request: pytest.FixtureRequest, tiny_model_dir: Any) -> LoadedBackbone:
    from lensbench.backbones import get_backbone
    from lensbench.backbones.load import load_backbone
    from lensbench.backbones.resolve import find_checkpoint

    named = get_backbone(str(tiny_model_dir))
    loaded = load_backbone(named, find_checkpoint(named), device="cpu", dtype="float32")
    return dataclasses.replace(loaded, model=random_model(request.param))


BUDGETS = st.one_of(st.integers(1, 70), st.just(1000))


def letters(asked: Requests) -> Requests:
    """One scored token behind each prompt."""
    return asked[0], [target[:1] for target in asked[1]]


@contextmanager
def window_of(backbone: LoadedBackbone, tokens: int) -> Iterator[None]:
    """The longest input that engines read; no model here encodes positions by it."""
    config = backbone.model.config
    before, config.max_position_embeddings = config.max_position_embeddings, tokens
    try:
        yield
    finally:
        config.max_position_embeddings = before


def equal(backbone: LoadedBackbone, asked: list[TokenRequest], budget: int | None, tolerance: float = 2e-5) -> None:
    same_as_reference(backbone, asked, TreeLM(backbone, budget=budget).score_tokens(asked), tolerance)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(asked=requests(tokens=VOCABULARY), few=st.booleans(), window=st.sampled_from([16, 256]), budget=BUDGETS)
def test_equals_the_reference(backbone: LoadedBackbone, asked: Requests, few: bool, window: int, budget: int) -> None:
    with window_of(backbone, window):
        equal(backbone, as_requests(letters(asked) if few else asked), budget)


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    asked=requests(tokens=VOCABULARY),
    few=st.booleans(),
    unprompted=st.sets(st.integers(0, 14)),
    layers=st.lists(st.integers(0, 3), min_size=1, max_size=4, unique=True),
    values=st.sampled_from(["clean", "running"]),
    window=st.sampled_from([16, 256]),
    budget=BUDGETS,
)
@pytest.mark.parametrize("site", ["hidden", "attn", "mlp", "emb"])
def test_interventions_equal_the_reference(
    backbone: LoadedBackbone,
    site: str,
    asked: Requests,
    few: bool,
    unprompted: set[int],
    layers: list[int],
    values: str,
    window: int,
    budget: int,
) -> None:
    made = intervention(backbone, [0] if site == "emb" else layers, site, values)
    with window_of(backbone, window):
        rows = as_requests(letters(asked) if few else asked, unprompted)
        same_as_alone(backbone, [BASE_BRANCH, branch(backbone, made)], rows, budget, 1e-4)


def test_another_architecture_is_refused(tiny: LoadedBackbone) -> None:
    config = AutoConfig.for_model("bloom", vocab_size=VOCABULARY, hidden_size=32, n_layer=2, n_head=4)
    other = dataclasses.replace(tiny, model=AutoModelForCausalLM.from_config(config))
    with pytest.raises(CannotPack, match="bloom"):
        TreeLM(other)


def test_an_input_that_changes_the_positions_of_others_is_refused(tiny: LoadedBackbone) -> None:
    model = random_model("phi3")
    factors = {"short_factor": [1.0] * 4, "long_factor": [2.0] * 4, "original_max_position_embeddings": 64}
    options = {**model.config.to_dict(), "max_position_embeddings": 256, "original_max_position_embeddings": 64}
    options["rope_parameters"] = {"rope_type": "longrope", "rope_theta": 1e4, "partial_rotary_factor": 1.0, **factors}
    model = AutoModelForCausalLM.from_config(type(model.config)(**options)).eval()
    other = dataclasses.replace(tiny, model=model)
    short, long = ((("", ""), list(range(3, 3 + n)), [5]) for n in (30, 37))
    equal(other, [short, short], None)
    equal(other, [(short[0], short[1] * 2, [5])], None)
    with pytest.raises(CannotPack, match="74 tokens"):
        TreeLM(other).score_tokens([short, (long[0], long[1] * 2, [5])])


def test_longer_than_the_window_loses_its_beginning(tiny: LoadedBackbone) -> None:
    ids = [3 + i % 200 for i in range(1500)]
    equal(tiny, [(("", ""), ids[:-n], ids[-n:]) for n in (1, 1, 7, 1000)], 300, tolerance=2e-4)


def test_no_score_depends_on_batch_or_order(backbone: LoadedBackbone) -> None:
    asked = [(("", ""), [i % VOCABULARY, *range(n)], [(7 * i) % VOCABULARY, 5]) for i in range(12) for n in (3, 20)]
    first = TreeLM(backbone).score_tokens(asked)
    for budget, step in ((20, 5), (70, 7), (1000, 11)):
        order = [(step * i) % len(asked) for i in range(len(asked))]
        again = TreeLM(backbone, budget=budget).score_tokens([asked[i] for i in order])
        for (ll, _), i in zip(again, order, strict=True):
            assert ll == pytest.approx(first[i][0], abs=1e-4)


def test_a_template_that_writes_a_bos_gets_no_second_one(tiny: LoadedBackbone) -> None:
    """As Llama 3 and Gemma do: the template begins with a BOS, and the tokenizer puts one in front of every text."""
    from tokenizers.processors import TemplateProcessing

    tokenizer = copy.deepcopy(tiny.tokenizer)
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    other = dataclasses.replace(tiny, tokenizer=tokenizer)
    lm = TreeLM(other)
    chat = lm.apply_chat_template([{"role": "user", "content": "Why?"}])
    assert tokenizer.encode(chat)[:2] == [0, 0]
    asked = [lm.token_request(text, *rest) for text in (chat, "Why?") for rest in (("A",), ("B C",))]
    asked += [lm.token_request(chat, letter, first_token=True) for letter in "AB"] + [lm.token_request("", "A B")]
    for _, context, target in asked:
        assert context[0] == 0 and 0 not in context[1:] + target, "exactly one BOS"
    equal(other, asked, None)
    same_as_alone(other, [branch(other, intervention(other, [1, 3]))], asked)
