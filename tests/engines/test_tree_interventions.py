"""Interventions at the ends of prompts in the tree engine: as alone, beside others, at the cost of what they change."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tree_help import as_requests, branch, delta, intervention, same_as_alone, together
from tries import Requests, requests

from lensbench.backbones.load import LoadedBackbone
from lensbench.engines.layer_sharing import BASE_BRANCH, Branch, branch_of
from lensbench.engines.protocol import TokenRequest
from lensbench.engines.reference.lm import LensLM
from lensbench.engines.tree.lm import TreeLM
from lensbench.engines.tree.scorer import CannotPack, TreeScorer


def ask(context: list[int], target: list[int], text: str = "context") -> TokenRequest:
    return (text, "continuation"), context, target


SHARED = [3 + i % 200 for i in range(40)]
PLAIN = [ask([*SHARED, *range(50 * i, 50 * i + 9)], [(9 * i + k) % 250 for k in range(n)]) for i in range(5) for n in (1, 5)]
CROSSED = [
    # One prompt ends where another goes on, ends where another's continuation is, and is all of another.
    ask([*SHARED, 7, 8], [9, 10, 11]),
    ask([*SHARED, 7, 8, 9, 10], [11, 12]),
    ask([*SHARED, 7, 8, 9], [10, 11]),
    ask([*SHARED], [7]),
    ask([*SHARED, 7, 8], [9, 10, 11], ""),
    *PLAIN[:4],
]
SMALL = {
    "one token": [ask([3], [4]), ask([3], [4, 5]), ask([3], [5]), ask([4], [5, 6])],
    "no prompt": [ask([0], [4, 5], ""), ask([0], [4, 6], ""), ask([0, 3], [4, 5], "")],
    "no continuation": [ask([3, 4], []), ask([3, 4, 5], [6])],
    "repeats": [PLAIN[1]] * 3 + [PLAIN[0]] * 2,
    "longer than the window": [ask([3 + i % 200 for i in range(1500)], [7 + i % 90 for i in range(n)]) for n in (1, 1, 7, 1000)],
    "a short prompt in front of much": [ask([3, 4], [5 + i, *range(60)]) for i in range(10)],
    "letters": [ask([*SHARED, i], [letter]) for i in range(6) for letter in (60, 61, 62)],
}
SITES = [("emb", [0]), ("attn", [0, 2]), ("mlp", [1, 2, 3]), ("hidden", [0, 1, 2, 3]), ("hidden", [3])]


@pytest.mark.parametrize("values", ["clean", "running"])
@pytest.mark.parametrize(("site", "layers"), SITES)
@pytest.mark.parametrize("asked", [PLAIN, CROSSED], ids=["plain", "crossed"])
def test_same_as_alone(tiny: LoadedBackbone, asked: list[TokenRequest], site: str, layers: list[int], values: str) -> None:
    made = branch(tiny, intervention(tiny, layers, site, values))
    assert made.start == min(layers) and made.is_patch
    for budget in (1, 45, 1000):
        same_as_alone(tiny, [made], asked, budget, 1e-4)
    with made.applied():
        found = LensLM(tiny).score_tokens(asked)
    base = LensLM(tiny).score_tokens(asked)
    assert all((abs(a[0] - b[0]) > 1e-4) == bool(r[0][0]) for a, b, r in zip(found, base, asked, strict=True))


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("budget", [1, 300])
def test_edges(tiny: LoadedBackbone, name: str, budget: int) -> None:
    if name == "longer than the window":
        budget = 300 * budget
    made = [intervention(tiny, [1, 3], values=values) for values in ("clean", "running")]
    same_as_alone(tiny, [BASE_BRANCH, *(branch(tiny, each) for each in made)], SMALL[name], budget, 1e-4)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    asked=requests(tokens=4),
    unprompted=st.sets(st.integers(0, 14)),
    starts=st.lists(st.integers(0, 3), max_size=4),
    sites=st.lists(st.tuples(st.sampled_from(SITES), st.sampled_from(["clean", "running"])), min_size=1, max_size=3),
    copies=st.sampled_from([1, 1, 1, 12]),
    budget=st.one_of(st.integers(1, 70), st.just(1000)),
)
def test_any_variants_on_any_requests(
    tiny: LoadedBackbone,
    asked: Requests,
    unprompted: set[int],
    starts: list[int],
    sites: list[tuple[tuple[str, list[int]], str]],
    copies: int,
    budget: int,
) -> None:
    rows = as_requests(asked, unprompted)
    variants = [branch(tiny, delta(tiny, start, seed=seed)) for seed, start in enumerate(starts * min(copies, 8))]
    variants += [
        branch(tiny, intervention(tiny, layers, site, values, seed))
        for seed, ((site, layers), values) in enumerate(sites * min(copies, 5))
    ]
    same_as_alone(tiny, [*variants, BASE_BRANCH][-50:], [*rows, *rows[:2]], budget, 1e-4)


def test_no_bit_depends_on_the_company(tiny: LoadedBackbone) -> None:
    made = [branch(tiny, intervention(tiny, [1, 3], values=values)) for values in ("clean", "running")]
    changed = branch(tiny, delta(tiny, 2))
    for asked in (PLAIN, CROSSED):
        for budget in (30, 1000):
            everyone = [BASE_BRANCH, changed, *made]
            whole, _ = together(tiny, everyone, asked, budget)
            for one, found in zip(everyone, whole, strict=True):
                assert together(tiny, [one], asked, budget)[0] == [found]


def test_only_what_is_wanted_is_scored_with_the_same_bits(tiny: LoadedBackbone) -> None:
    branches = [BASE_BRANCH, branch(tiny, intervention(tiny, [1, 3]))]
    whole, _ = together(tiny, branches, CROSSED, budget=30)
    for wanted in ({0}, {3, 5}, {4, 7, 8}):
        engine = TreeScorer(tiny, max_length=1024, budget=30)
        found = {i: [a[k] for a in s.answers] for s in engine.score(CROSSED, branches, wanted) for k, i in enumerate(s.requests)}
        assert wanted == found.keys()
        assert all(found[i] == [mine[i] for mine in whole] for i in wanted)


def test_each_request_comes_once(tiny: LoadedBackbone) -> None:
    branches = [BASE_BRANCH, branch(tiny, intervention(tiny, [2]))]
    engine = TreeScorer(tiny, max_length=1024, budget=50)
    asked = [*CROSSED, ask([3], [])]
    come = [index for scored in engine.score(asked, branches) for index in scored.requests]
    assert sorted(come) == list(range(len(asked)))


def test_only_tokens_from_the_end_of_the_prompt_on_are_computed(tiny: LoadedBackbone) -> None:
    asked = [ask(list(range(i, i + 50)), [5]) for i in range(4)]
    tokens = 200

    def counted(*branches: Branch) -> tuple[int, int]:
        counts = together(tiny, list(branches), asked)[1]
        return counts.block_tokens, counts.head_positions

    assert counted(BASE_BRANCH) == (3 * tokens + 4, 4)
    for values in ("clean", "running"):
        late, early = (branch(tiny, intervention(tiny, layers, values=values)) for layers in ([3], [0, 1, 2, 3]))
        assert counted(BASE_BRANCH, late) == (3 * tokens + 4 + 4, 8)
        assert counted(BASE_BRANCH, early) == (3 * tokens + 4 + 4 * 4, 8)
        # The backbone is read all the way even where nobody asks for its scores.
        assert counted(early) == (3 * tokens + 4 + 4 * 4, 4)


@pytest.mark.parametrize(("language", "alpha"), [("en", 0.7), ("zh", 0.0)])
def test_where_it_does_nothing_it_is_the_backbone(tiny: LoadedBackbone, language: str, alpha: float) -> None:
    idle = branch(tiny, intervention(tiny, [2], alpha=alpha), language)
    alone, counts = together(tiny, [BASE_BRANCH], PLAIN)
    (base, same), both = together(tiny, [BASE_BRANCH, idle], PLAIN)
    assert base == same == alone[0]
    assert counts == both


def test_memory_that_runs_out_between(tiny: LoadedBackbone, monkeypatch: pytest.MonkeyPatch) -> None:
    from lensbench.engines.tree.forward import PassRunner

    real = PassRunner.run
    branches = [BASE_BRANCH, branch(tiny, intervention(tiny, [1, 3]))]
    passes = together(tiny, branches, CROSSED, 48)[1].passes
    assert passes > 3, "also of the trie of crossed prompts"
    for failing in range(1, passes + 1):
        left = [failing]

        def limited(self, step, left=left):
            left[0] -= 1
            if not left[0]:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return real(self, step)

        monkeypatch.setattr(PassRunner, "run", limited)
        same_as_alone(tiny, branches, CROSSED, 48, 1e-4)
        assert left[0] < 0, "it went on"


def test_a_pass_that_fails_leaves_nothing_behind(tiny: LoadedBackbone) -> None:
    made = branch(tiny, intervention(tiny, [1, 3]))
    before = LensLM(tiny).score_tokens(PLAIN)
    handle = tiny.blocks[3].register_forward_hook(_fail_after(1))
    with pytest.raises(ZeroDivisionError):
        together(tiny, [BASE_BRANCH, made], PLAIN)
    handle.remove()
    assert all(not m._forward_hooks and not m._forward_pre_hooks for m in tiny.model.modules())
    assert (tiny.wants_prompt_ends, tiny.prompt_editor, tiny.prompt_ends) == (False, None, None)
    assert LensLM(tiny).score_tokens(PLAIN) == before


def _fail_after(calls: int):
    left = [calls]

    def fail(module, inputs, output):
        left[0] -= 1
        if left[0] < 0:
            raise ZeroDivisionError

    return fail


def test_hooks_of_another_kind_are_left_to_the_reference_engine(tiny: LoadedBackbone) -> None:
    """A plugin may hook into the model as it likes; only one that says where it acts is scored with others."""
    made = intervention(tiny, [1])

    @contextmanager
    def hooked(module: torch.nn.Module) -> Iterator[None]:
        handle = module.register_forward_hook(lambda m, args, out: out)
        yield
        handle.remove()

    @contextmanager
    def wants_ends() -> Iterator[None]:
        tiny.wants_prompt_ends = True
        yield
        tiny.wants_prompt_ends = False

    @contextmanager
    def both(other) -> Iterator[None]:
        with made.applied(tiny, "zh"), other():
            yield

    changed = delta(tiny, 2)
    strange = [
        lambda: hooked(tiny.blocks[2]),
        wants_ends,
        lambda: both(lambda: hooked(tiny.final_norm)),
        lambda: both(lambda: changed.applied(tiny, "zh")),
    ]
    assert [branch_of(tiny, applied, 1) for applied in strange] == [None] * 4
    lower = branch_of(tiny, lambda: both(nullcontext), 3)
    assert lower is not None and lower.start == 1, "what it says of its first layer is checked"
    assert branch_of(tiny, lambda: nullcontext(), 1) == BASE_BRANCH


def test_a_model_of_lm_eval_refuses_what_it_cannot_tell(tiny: LoadedBackbone) -> None:
    with intervention(tiny, [1]).applied(tiny, "zh"), pytest.raises(CannotPack, match="last token of a prompt"):
        TreeLM(tiny).score_tokens(PLAIN)
