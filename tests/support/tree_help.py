"""Variants for the tests of the tree engine, and the check that they are scored together as each is alone."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from tries import Requests

from lensbench.backbones.load import LoadedBackbone
from lensbench.engines.layer_sharing import Branch, branch_of
from lensbench.engines.protocol import TokenRequest, has_prompt
from lensbench.engines.reference.lm import LensLM
from lensbench.engines.tree.forward import Counts
from lensbench.engines.tree.scorer import TreeScorer
from lensbench.methods.delta import Delta
from lensbench.methods.incline import Alignment, Intervention

Answers = list[tuple[float, bool]]


def delta(loaded: LoadedBackbone, start: int, names: str = "layers.{}.", seed: int = 0, declared: int | None = None) -> Delta:
    """Random changes of every tensor from a block up, or of those whose name holds `names`."""
    random = torch.Generator().manual_seed(seed)
    wanted = [names.format(index) for index in range(start, len(loaded.blocks))]
    tensors = {
        name: parameter.detach() + 0.3 * torch.randn(parameter.shape, generator=random).to(parameter.device)
        for name, parameter in loaded.model.named_parameters()
        if any(part in name for part in wanted)
    }
    assert tensors
    return Delta("lens", "tiny", "", start if declared is None else declared, tensors)


def intervention(
    loaded: LoadedBackbone, layers: Sequence[int], site: str = "hidden", values: str = "clean", seed: int = 0, alpha: float = 0.7
) -> Intervention:
    """Random maps for Chinese; English is central."""
    random = torch.Generator().manual_seed(seed)
    sizes = (8, loaded.hidden_size)
    maps = {
        layer: Alignment(0.3 * torch.randn(sizes, generator=random), 0.3 * torch.randn(sizes, generator=random))
        for layer in layers
    }
    return Intervention("tiny", "", "en", site, values, {"zh": alpha}, {"zh": maps})


def branch(loaded: LoadedBackbone, made: Delta | Intervention, language: str = "zh") -> Branch:
    found = branch_of(loaded, lambda: made.applied(loaded, language), made.first_changed_layer)
    assert found is not None
    return found


def as_requests(asked: Requests, unprompted: Sequence[int] = ()) -> list[TokenRequest]:
    """Contexts and continuations; an input without a token cannot be asked.

    Args:
        unprompted: Requests whose context is empty, so that only what was put in its place is read.
    """
    found = []
    for index, (ids, target) in enumerate(zip(*asked, strict=True)):
        if target:
            whole = [*ids[: len(ids) - len(target) + 1], *target]
            text = "" if index in unprompted else "context"
            found.append(((text, "continuation"), whole[: -len(target)], whole[-len(target) :]))
    return found


def together(
    loaded: LoadedBackbone, branches: list[Branch], asked: list[TokenRequest], budget: int | None = None
) -> tuple[list[Answers], Counts]:
    """Answers by branch."""
    engine = TreeScorer(loaded, max_length=LensLM(loaded).max_length, budget=budget)
    answers = [[(float("nan"), False)] * len(asked) for _ in branches]
    for scored in engine.score(asked, branches):
        for mine, found in zip(answers, scored.answers, strict=True):
            for index, answer in zip(scored.requests, found, strict=True):
                mine[index] = answer
    return answers, engine.counts


def same_as_alone(
    loaded: LoadedBackbone, branches: list[Branch], asked: list[TokenRequest], budget: int | None = None, tolerance: float = 2e-5
) -> None:
    answers, _ = together(loaded, branches, asked, budget)
    for one, found in zip(branches, answers, strict=True):
        with one.applied():
            same_as_reference(loaded, asked, found, tolerance)


def same_as_reference(loaded: LoadedBackbone, asked: list[TokenRequest], found: Answers, tolerance: float = 2e-5) -> None:
    """Answers equal those of the reference engine, with whatever is applied at the moment."""
    expected = LensLM(loaded).score_tokens(asked)
    assert len(expected) == len(found)
    for request, (ll, greedy), (expected_ll, expected_greedy) in zip(asked, found, expected, strict=True):
        assert ll == pytest.approx(expected_ll, abs=tolerance, rel=1e-6)
        assert greedy == expected_greedy or least_margin(loaded, request) < tolerance


@torch.no_grad()
def least_margin(loaded: LoadedBackbone, request: TokenRequest) -> float:
    """Smallest distance in logits between the two likeliest tokens, over the positions at which a request is scored."""
    _, context, target = request
    ids = (context + target)[-(LensLM(loaded).max_length + 1) :][:-1]
    end = len(ids) - len(target) if has_prompt(request) else -1
    with loaded.prompts_ending_at([end]):
        logits = loaded.model(torch.tensor([ids]), use_cache=False).logits[0, -len(target) :]
    first, second = logits.topk(2).values.T
    return float((first - second).min())
