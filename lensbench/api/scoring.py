"""Log-likelihoods with the tree engine, for the user's model and tokenizer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lensbench.errors import UsageError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

__all__ = ["Scored", "score"]


@dataclass(frozen=True)
class Scored:
    """One continuation given its context.

    Attributes:
        loglikelihood: Sum over the continuation's tokens, in nats.
        greedy: Whether every token of it is the likeliest one.
        tokens: Number of the continuation's tokens.
    """

    loglikelihood: float
    greedy: bool
    tokens: int


def score(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, requests: Sequence[tuple[str, str]], *, batch_size: int = 16
) -> list[Scored]:
    """Score continuations with the tree engine: tokens that requests share are read once.

    Texts are encoded as lm-evaluation-harness does it. A request that is longer than the model's window loses its beginning.

    Args:
        model: A causal language model of transformers.
        tokenizer: Its tokenizer.
        requests: Pairs of context and continuation.
        batch_size: Sequences that a pass of the reference engine would read; decides how many tokens a pass reads.

    Returns:
        One result per request, in their order.

    Raises:
        UsageError: something else than pairs of texts, an architecture that the engine does not know, or a continuation that is
            longer than the window.
    """
    from lensbench.api.loaded_models import evaluating, wrapped
    from lensbench.engines.blocks import CannotPack
    from lensbench.engines.reference.lm import LensLM
    from lensbench.engines.tree.scorer import TreeScorer

    pairs = [_pair(request) for request in requests]
    loaded = wrapped(model, tokenizer)
    with evaluating(model):
        lm = LensLM(loaded, batch_size=batch_size)
        encoded = lm.token_requests(pairs)
        found: dict[int, tuple[float, bool]] = {}
        try:
            tree = TreeScorer(loaded, max_length=lm.max_length, batch_size=batch_size)
            tree.check(encoded)
            for scored in tree.score(encoded):
                found.update(zip(scored.requests, scored.answers[0], strict=True))
        except CannotPack as error:
            raise UsageError(f"the tree engine cannot score this: {error}", "A run with engine='reference' can.") from None
    return [Scored(*found[index], len(target)) for index, (_, _, target) in enumerate(encoded)]


def _pair(request: object) -> tuple[str, str]:
    if not isinstance(request, tuple | list) or len(request) != 2 or not all(isinstance(text, str) for text in request):
        raise UsageError(
            f"requests must be pairs of context and continuation, found {request!r:.80}",
            "Example: [('The capital of France is', ' Paris')]",
        )
    return request[0], request[1]
