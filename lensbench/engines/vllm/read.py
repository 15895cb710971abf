"""Reading vLLM's results as log-likelihoods and answers; a missing value is an error, never a default."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lensbench.engines.generation.generate import Speaks, finished_answer
from lensbench.engines.protocol import Answer, GeneratedAnswer
from lensbench.errors import RunError

__all__ = ["read_answer", "read_continuation", "read_labels"]


def read_continuation(output: Any, length: int) -> Answer:
    """Log-likelihood in nats of the last tokens of a prompt, and whether each was the likeliest at its place.

    Args:
        output: A `RequestOutput` with `prompt_logprobs`: one mapping token id -> `Logprob` for each token of the prompt, None for
            the first. Asked for with the likeliest token beside the prompt's own, so that of two that are equally likely, as
            happens in bf16, one has rank 1; alone, the prompt's token would count both and have rank 2.
        length: Of the continuation, in tokens; shorter than the prompt.

    Raises:
        RunError: a token has no log-probability.
    """
    ids, places = list(output.prompt_token_ids), output.prompt_logprobs
    if places is None or len(places) != len(ids):
        raise RunError(f"vLLM gave log-probabilities of {len(places or ())} of {len(ids)} prompt tokens")
    total, greedy = 0.0, True
    for at in range(len(ids) - length, len(ids)):
        entry = _entry(places[at], ids[at], at)
        total += entry.logprob
        greedy = greedy and entry.rank == 1
    return total, greedy


def read_labels(output: Any, tokens: Iterable[int]) -> dict[int, Answer]:
    """Log-likelihood in nats of single tokens behind a prompt, and whether each is the one that was generated.

    Args:
        output: A `RequestOutput` of one greedy token, with the log-probabilities of these tokens beside it.

    Raises:
        RunError: a token has no log-probability.
    """
    completion = output.outputs[0]
    if not completion.token_ids or not completion.logprobs:
        raise RunError("vLLM generated no token with log-probabilities after a prompt")
    at = len(output.prompt_token_ids)
    return {
        token: (_entry(completion.logprobs[0], token, at).logprob, completion.token_ids[0] == token)
        for token in dict.fromkeys(tokens)
    }


def read_answer(model: Speaks, output: Any, ends: set[int], seconds: float) -> GeneratedAnswer:
    """A generated answer; its text is decoded here, as for our own generation.

    Args:
        ends: End-of-turn tokens; vLLM leaves the one that ended an answer among its tokens.

    Raises:
        RunError: it ended neither at its end of turn nor at its length.
    """
    completion = output.outputs[0]
    answer = finished_answer(model, completion.token_ids, ends, seconds)
    if completion.finish_reason != answer.finish:
        raise RunError(f"vLLM ended an answer with '{completion.finish_reason}', its tokens say '{answer.finish}'")
    return answer


def _entry(place: Any, token: int, at: int) -> Any:
    entry = place.get(token) if place else None
    if entry is None:
        raise RunError(f"vLLM gave no log-probability of token {token} at place {at}")
    return entry
