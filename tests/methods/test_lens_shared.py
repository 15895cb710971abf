"""Fits of LENS that share states: equal to each fit alone, and nothing is read twice."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch

from lensbench.backbones.load import LoadedBackbone
from lensbench.errors import UsageError
from lensbench.methods.base import SharesFits, SilentProgress
from lensbench.methods.corpora.probing import Corpora, ParallelPrompt
from lensbench.methods.delta import Delta
from lensbench.methods.lens import METHOD, LensConfig
from lensbench.methods.lens.train import Diverged

LETTERS = "abcdefgh ijkl mnop qrst"


def corpora(seed: int, items: int = 6) -> Corpora:
    """Texts of a pool of ten; another seed draws other ones, of which many are the same."""
    pool = random.Random(0)
    texts = ["".join(pool.choices(LETTERS, k=pool.randint(3, 20))) for _ in range(10)]
    draw = random.Random(seed)
    probing = {code: [code + text for text in draw.sample(texts, items)] for code in ("en", "zh")}
    parallel = [ParallelPrompt(text, {code: f"{code} {text}" for code in ("en", "zh")}) for text in draw.sample(texts, items)]
    return Corpora(("en", "zh"), probing, parallel)


def config(**changes: object) -> LensConfig:
    return LensConfig.model_validate({"batch_size": 2, "learning_rate": 1e-3, "push_strength": 0.5, "warmup_ratio": 0, **changes})


JOBS = [
    (corpora(1), config()),
    (corpora(1), config(push_strength=1.0)),
    (corpora(1), config(start_layer=2)),
    (corpora(1), config(start_layer=4, epochs=2)),
    (corpora(2), config(seed=2)),
    (corpora(1), config(start_layer=2, loss_layer="all_trainable")),
    (corpora(1), config(retain_pool="last")),
    (corpora(1), config(readout="official")),
    (corpora(1), config(retain_pool="all_positions")),
    (corpora(1), config(mean_dtype="float16")),
    (corpora(1), config(probe_tokens=4, train_tokens=4)),
]


@contextmanager
def tokens_read(loaded: LoadedBackbone) -> Iterator[list[int]]:
    """Tokens that each block is called with, in the context."""
    counts = [0] * len(loaded.blocks)

    def counting(place: int) -> Any:
        def hook(module: Any, args: tuple[Any, ...]) -> None:
            counts[place] += args[0].shape[0] * args[0].shape[1]

        return hook

    handles = [block.register_forward_pre_hook(counting(place)) for place, block in enumerate(loaded.blocks)]
    try:
        yield counts
    finally:
        for handle in handles:
            handle.remove()


def alone(loaded: LoadedBackbone, job: tuple[Corpora, LensConfig]) -> Delta:
    return METHOD.fit(loaded, *job, SilentProgress())


def assert_like(one: Delta, other: Delta) -> None:
    assert one.tensors.keys() == other.tensors.keys() and one.first_changed_layer == other.first_changed_layer
    for name, tensor in one.tensors.items():
        assert torch.equal(tensor, other.tensors[name]), name
    assert one.card["log"] == other.card["log"]


@pytest.mark.parametrize("order", [1, -1])
def test_fits_together_equal_each_alone(tiny: LoadedBackbone, order: int) -> None:
    assert isinstance(METHOD, SharesFits)
    with METHOD.together(tiny, JOBS[::order]) as fit:
        found = [fit(tiny, *job, SilentProgress()) for job in JOBS[::order]]
    for delta, job in zip(found, JOBS[::order], strict=True):
        assert_like(delta, alone(tiny, job))


def test_a_setting_that_changes_no_state_reads_nothing_again(tiny: LoadedBackbone) -> None:
    jobs = [
        (corpora(1), config(start_layer=3, **changes))
        for changes in ({}, {"push_strength": 2.0}, {"rank": 1}, {"retain_weight": 0}, {"alignment_weight": 0}, {"seed": 7})
    ]
    with METHOD.together(tiny, jobs) as fit, tokens_read(tiny) as counts:
        first = fit(tiny, *jobs[0], SilentProgress())
        read = counts[:3]
        assert min(read) > 0
        later = [fit(tiny, *job, SilentProgress()) for job in jobs[1:]]
    assert counts[:2] == read[:2], "blocks below the trained ones were run again"
    assert first.card["cost"]["cached_seconds"] == 0
    for delta in later:
        cost = delta.card["cost"]
        assert 0 < cost["cached_seconds"] < cost["wall_seconds"]


def test_one_pass_serves_every_first_trained_block(tiny: LoadedBackbone) -> None:
    jobs = [(corpora(1), config(start_layer=start)) for start in (4, 3, 2)]
    with tokens_read(tiny) as counts:
        alone(tiny, jobs[0])
    one = counts[0]
    with METHOD.together(tiny, jobs) as fit, tokens_read(tiny) as counts:
        for job in jobs:
            fit(tiny, *job, SilentProgress())
    assert counts[0] == one


def test_seeds_share_what_both_take_whole(tiny: LoadedBackbone) -> None:
    """With as many texts and prompts as there are, seeds differ in their order only."""
    jobs = [(corpora(seed, items=10), config(seed=seed)) for seed in (1, 2)]
    assert jobs[0][0].probing != jobs[1][0].probing
    with tokens_read(tiny) as counts:
        alone(tiny, jobs[0])
    one = counts[0]
    with METHOD.together(tiny, jobs) as fit, tokens_read(tiny) as counts:
        found = [fit(tiny, *job, SilentProgress()) for job in jobs]
    assert counts[0] == one and found[0].digest != found[1].digest


def test_a_fit_that_diverges_leaves_the_others_be(tiny: LoadedBackbone) -> None:
    jobs = [JOBS[0], (corpora(1), config(learning_rate=1e30)), (corpora(1), config(start_layer=99)), JOBS[1]]
    with METHOD.together(tiny, jobs) as fit:
        found = [fit(tiny, *jobs[0], SilentProgress())]
        with pytest.raises(Diverged):
            fit(tiny, *jobs[1], SilentProgress())
        with pytest.raises(UsageError, match="start_layer 99"):
            fit(tiny, *jobs[2], SilentProgress())
        found.append(fit(tiny, *jobs[3], SilentProgress()))
    for delta, job in zip(found, (jobs[0], jobs[3]), strict=True):
        assert_like(delta, alone(tiny, job))
