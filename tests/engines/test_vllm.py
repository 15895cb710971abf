"""The vLLM engine against the reference engine and transformers' own `generate`, through a double of vLLM's interface."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tree_stage import engine_over
from vllm_double import SamplingParams, Vllm
from vllm_help import answers, requests

from lensbench.backbones.lazy import LazyBackbone
from lensbench.backbones.load import LoadedBackbone
from lensbench.engines.generation.generate import generate_reference
from lensbench.engines.protocol import AnswerRequest, CannotScore, Engine, ScoringRequests, TokenRequest
from lensbench.engines.reference.lm import LensLM
from lensbench.engines.vllm.process import running
from lensbench.engines.vllm.read import read_answer, read_continuation, read_labels
from lensbench.engines.vllm.session import VllmSession, is_cut
from lensbench.errors import RunError
from lensbench.spec import BASE
from lensbench.stages.variants import Variant

Held = Callable[..., "VllmSession"]


@pytest.fixture
def double() -> Vllm:
    return Vllm()


@pytest.fixture
def held(tiny: LoadedBackbone, double: Vllm) -> Any:
    """The tiny model's VllmSession of a window; its engine is ended with the test, or where another window is asked for."""
    made: dict[int, VllmSession] = {}

    def end() -> None:
        for window in [*made]:
            made.pop(window).__exit__(None, None, None)

    def make(window: int = 512) -> VllmSession:
        if window not in made:
            end()
            start = partial(running, double, tiny.checkpoint.path, dtype="float32", window=window, trust=False)
            made[window] = VllmSession(LazyBackbone.holding(tiny), double, start, window=window)
        return made[window]

    yield make
    end()
    assert [event for event, _ in double.events] == ["start", "end"] * (len(double.events) // 2)


def near(expected: list[tuple[float, bool]]) -> list[tuple[Any, bool]]:
    return [(pytest.approx(ll, abs=2e-5, rel=1e-6), greedy) for ll, greedy in expected]


def greedy_continuation(loaded: LoadedBackbone, text: str, tokens: int) -> TokenRequest:
    context = loaded.tokenizer.encode(text)
    ids = torch.tensor([context])
    for _ in range(tokens):
        ids = torch.cat([ids, loaded.model(ids).logits[:, -1:].argmax(-1)], dim=1)
    return (text, "its own"), context, ids[0, len(context) :].tolist()


def test_scores_equal_the_reference(tiny: LoadedBackbone, held: Held) -> None:
    lm = LensLM(tiny)
    asked = [*requests(lm), greedy_continuation(tiny, "Hello", 1), greedy_continuation(tiny, "Hello", 5)]
    expected = lm.score_tokens(asked)
    assert [greedy for _, greedy in expected[-2:]] == [True, True] and not all(greedy for _, greedy in expected)
    assert held().score_tokens(asked) == near(expected)


@given(
    st.lists(
        st.tuples(st.lists(st.integers(3, 40), min_size=2, max_size=6), st.lists(st.integers(3, 40), max_size=5)),
        min_size=1,
        max_size=12,
    )
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_requests_equal_the_reference(tiny: LoadedBackbone, held: Held, drawn: list[tuple[list[int], list[int]]]) -> None:
    asked = [(("c", "t"), context, target) for context, target in drawn]
    assert held().score_tokens(asked) == near(LensLM(tiny).score_tokens(asked))


def test_distinct_inputs_are_asked_once(tiny: LoadedBackbone, double: Vllm, held: Held) -> None:
    asked = requests(LensLM(tiny))
    held().score_tokens(asked * 3)
    prompts = [tuple(prompt) for prompt in double.asked]
    assert len(prompts) == len(set(prompts))
    letters = next(params for prompts, params in double.calls for params in params if params.logprob_token_ids)
    assert sum(len(p.logprob_token_ids or ()) for _, params in double.calls for p in params) == 4 and letters.max_tokens == 1


def test_more_single_tokens_than_vllm_tells_of(tiny: LoadedBackbone, double: Vllm, held: Held) -> None:
    context = tiny.tokenizer.encode("Which?")
    asked = [(("Which?", "t"), context, [token]) for token in range(3, 259)]
    scores = held().score_tokens(asked)
    assert scores == near(LensLM(tiny).score_tokens(asked)) and sum(greedy for _, greedy in scores) == 1
    assert [len(params) for _, params in double.calls] == [2]


def test_an_empty_continuation_is_certain(tiny: LoadedBackbone, double: Vllm, held: Held) -> None:
    asked: list[TokenRequest] = [(("Hello", ""), tiny.tokenizer.encode("Hello"), [])]
    assert held().score_tokens(asked) == LensLM(tiny).score_tokens(asked) == [(0.0, True)]
    assert not double.events, "no engine is needed"


@pytest.mark.parametrize("length", [30, 31, 32, 33, 200])
def test_a_long_input_loses_its_beginning(tiny: LoadedBackbone, held: Held, length: int) -> None:
    ids = [3 + at % 50 for at in range(length)]
    for tokens in (1, 4):
        found = held(32).score_tokens([(("c", "t"), ids[:-tokens], ids[-tokens:])])
        kept = ids[-31:] if tokens > 1 else ids[:-1][-31:] + ids[-1:]
        assert found == near(LensLM(tiny).score_tokens([(("c", "t"), kept[:-tokens], kept[-tokens:])]))


def test_a_continuation_that_fills_the_window_has_no_loglikelihood(held: Held) -> None:
    engine = held(32)
    long, short = (("c", "t"), [5, 6], [7] * 31), (("c", "t"), [5, 6], [7, 8])
    (nothing, greedy), (some, _) = engine.score_tokens([long, short])
    assert math.isnan(nothing) and not greedy and math.isfinite(some)
    assert is_cut(long, 32) and not is_cut(short, 32)
    assert not is_cut((("c", "t"), [5] * 31, [7]), 32), "a single token is read off behind its context"
    assert is_cut((("c", "t"), [5] * 32, [7]), 32)


@pytest.fixture
def engine(tiny: LoadedBackbone, double: Vllm, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes engines over the double; the last one is ended with the test."""
    monkeypatch.setitem(sys.modules, "vllm", double)
    monkeypatch.setitem(sys.modules, "vllm.platforms", double.platforms)
    made: list[Engine] = []

    def make(window: int = 512) -> Engine:
        for before in made:
            before.close()
        made.append(engine_over(tiny, "vllm"))
        made[-1].__dict__["_window"] = window
        return made[-1]

    yield make
    made[-1].close()
    assert [event for event, _ in double.events] == ["start", "end"] * (len(double.events) // 2)


def noise(engine: Engine, asked: list[TokenRequest]) -> float:
    sample = ScoringRequests("sample", "en", {"item": asked}, [0])
    return engine.noise([sample], [Variant(BASE)], engine)


def test_the_noise_is_the_largest_difference(tiny: LoadedBackbone, double: Vllm, engine: Callable[..., Engine]) -> None:
    asked = requests(LensLM(tiny))
    assert 0 < noise(engine(), asked) < 1e-4
    double.shift = 0.0005
    longest = max(len(target) for _, _, target in asked)
    assert noise(engine(), asked) == pytest.approx(0.0005 * longest, rel=0.05)
    double.shift = 0.1
    wrong = engine()
    with pytest.raises(CannotScore, match=r"nats off on this model"):
        noise(wrong, asked)
    assert "nats off on this model" in (wrong.supports(Variant(BASE), "en") or "")


def test_the_noise_leaves_out_what_is_cut(tiny: LoadedBackbone, engine: Callable[..., Engine]) -> None:
    """The two engines cut at different places, which is no rounding."""
    asked = requests(LensLM(tiny))
    assert 0 < noise(engine(64), asked) < 1e-4


def test_greedy_answers_equal_the_reference(tiny: LoadedBackbone, held: Held) -> None:
    # A token that the second answer is known to contain becomes a second end of turn, as Llama-3 has one.
    _, _, ids = greedy_continuation(tiny, "Why is the sky blue?", 5)
    tiny.model.generation_config.eos_token_id = [tiny.tokenizer.eos_token_id, ids[4]]
    slow = [generate_reference(tiny, request.prompt, request.max_new_tokens) for request in answers(tiny)]
    seen: list[tuple[int, str]] = []
    fast = held().answer(answers(tiny), on_answer=lambda index, answer: seen.append((index, answer.text)))
    assert [(a.text, a.tokens, a.finish) for a in fast] == [(a.text, a.tokens, a.finish) for a in slow]
    assert {a.finish for a in fast} == {"stop", "length"} and all(a.seconds > 0 for a in fast)
    assert seen == [(index, answer.text) for index, answer in enumerate(fast)]


def test_draws_depend_on_the_seed_alone(tiny: LoadedBackbone, held: Held) -> None:
    lm = held()

    def drawn(seed: int, temperature: float = 1.0, count: int = 1) -> list[str]:
        request = AnswerRequest(tuple(tiny.tokenizer.encode("Tell me.")), 20, temperature, seed)
        return [answer.text for answer in lm.answer([request] * count)]

    assert drawn(1) == drawn(1) and drawn(1) != drawn(2) and len(set(drawn(1, count=3))) == 1
    greedy = held().answer([AnswerRequest(tuple(tiny.tokenizer.encode("Tell me.")), 20, 0.0, seed) for seed in (1, 2)])
    assert greedy[0].text == greedy[1].text


def test_what_is_asked_of_vllm(tiny: LoadedBackbone, double: Vllm, held: Held) -> None:
    ids = tuple(tiny.tokenizer.encode("Tell me."))
    held().answer([AnswerRequest(ids, 3), AnswerRequest(ids, 4, 0.7, 99)])
    ((_, params),) = double.calls
    ends = sorted({1})
    assert params == [
        SamplingParams(temperature=0.0, max_tokens=3, stop_token_ids=ends, detokenize=False),
        SamplingParams(temperature=0.7, seed=99, max_tokens=4, stop_token_ids=ends, detokenize=False),
    ]


@pytest.mark.parametrize("kind", ["OutOfMemoryError", "RuntimeError"])
def test_vllms_own_errors_come_through_in_one_line(tiny: LoadedBackbone, double: Vllm, held: Held, kind: str) -> None:
    error = getattr(torch, kind, RuntimeError)("the engine died.\nTried to allocate")
    double.failure = error
    with pytest.raises(RunError) as raised:
        held().score_tokens(requests(LensLM(tiny)))
    assert raised.value.message == f"vLLM stopped: {type(error).__name__}: {str(error).splitlines()[0]}"
    assert "Run the same command again" in (raised.value.hint or "")


def test_a_prompt_that_vllm_refuses_is_an_error(tiny: LoadedBackbone, held: Held) -> None:
    with pytest.raises(RunError, match=r"vLLM stopped: VLLMValidationError: The decoder prompt \(length 40\) .* of 32"):
        held(32).answer([AnswerRequest((5,) * 40, 3)])


def test_a_window_that_vllm_refuses_is_an_error(held: Held) -> None:
    with pytest.raises(RunError, match=r"vLLM does not start on .*User-specified max_model_len \(4096\) is greater"):
        held(4096).score_tokens([(("c", "t"), [5, 6], [7])])


def output(double: Vllm, tiny: LoadedBackbone, **params: Any) -> Any:
    llm = double.LLM(str(tiny.checkpoint.path), dtype="float32", load_format="safetensors")
    return llm.generate([{"prompt_token_ids": [5, 6, 7]}], SamplingParams(detokenize=False, max_tokens=2, **params))[0]


def test_a_missing_log_probability_is_an_error(double: Vllm, tiny: LoadedBackbone) -> None:
    found = output(double, tiny, temperature=0.0, prompt_logprobs=1)
    assert math.isfinite(read_continuation(found, 2)[0])
    with pytest.raises(RunError, match="no log-probability of token 5 at place 0"):
        read_continuation(found, 3)
    found.prompt_logprobs[1] = {200: found.prompt_logprobs[1][6]}
    with pytest.raises(RunError, match="no log-probability of token 6 at place 1"):
        read_continuation(found, 2)
    # As for a request whose beginning came out of the prefix cache.
    found.prompt_logprobs = found.prompt_logprobs[-1:]
    with pytest.raises(RunError, match="log-probabilities of 1 of 3 prompt tokens"):
        read_continuation(found, 1)
    found.prompt_logprobs = None
    with pytest.raises(RunError, match="log-probabilities of 0 of 3 prompt tokens"):
        read_continuation(found, 1)


def test_a_missing_label_is_an_error(double: Vllm, tiny: LoadedBackbone) -> None:
    found = output(double, tiny, temperature=0.0, logprob_token_ids=[9, 10])
    assert read_labels(found, [9, 10]).keys() == {9, 10}
    with pytest.raises(RunError, match="no log-probability of token 250 at place 3"):
        read_labels(found, [9, 250])
    found.outputs[0].logprobs = None
    with pytest.raises(RunError, match="no token with log-probabilities"):
        read_labels(found, [9])


@pytest.mark.parametrize("reason", ["abort", "error", "repetition", None, "stop"])
def test_an_answer_that_ended_otherwise_is_an_error(double: Vllm, tiny: LoadedBackbone, reason: str | None) -> None:
    found = output(double, tiny, temperature=0.0)
    assert read_answer(tiny, found, {1}, 0.0).finish == "length"
    found.outputs[0].finish_reason = reason
    with pytest.raises(RunError, match="its tokens say 'length'"):
        read_answer(tiny, found, {1}, 0.0)


def test_of_equally_likely_tokens_one_is_greedy() -> None:
    """vLLM counts a token's equals into its rank; beside the likeliest one it stands with rank 1 or 2."""
    from vllm_double import RequestOutput, _place, _top

    even = torch.tensor([0.25, 0.25, 0.25, 0.25]).log()
    ranks = []
    for token in range(4):
        places = [None, _place(even, token, _top(even, 1))]
        ranks.append(read_continuation(RequestOutput("0", None, [0, token], places, [], True), 1)[1])
    assert sum(ranks) == 1
