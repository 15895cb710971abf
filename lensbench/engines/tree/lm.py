"""The tree engine as a model of lm-eval."""

from __future__ import annotations

from collections.abc import Sequence

from lensbench.backbones.load import LoadedBackbone
from lensbench.engines.blocks import CannotPack
from lensbench.engines.protocol import Answer, TokenRequest
from lensbench.engines.reference.lm import LensLM
from lensbench.engines.tree.scorer import TreeScorer

__all__ = ["TreeLM"]


class TreeLM(LensLM):
    """Scores like `LensLM`, through a token trie, with whatever is applied to the model at the moment.

    Args:
        budget: Tokens a pass reads; None follows from `batch_size`.

    Raises:
        CannotPack: see `TreeScorer`.
    """

    def __init__(self, loaded: LoadedBackbone, *, batch_size: int = 16, budget: int | None = None) -> None:
        super().__init__(loaded, batch_size=batch_size)
        self.scorer = TreeScorer(loaded, max_length=self.max_length, batch_size=batch_size, budget=budget)

    def score_tokens(self, requests: Sequence[TokenRequest]) -> list[Answer]:
        """As `LensLM.score_tokens`.

        Raises:
            CannotPack: what is applied works on the last token of a prompt, or an input is too long.
        """
        if self.loaded.wants_prompt_ends:
            raise CannotPack("what is applied works on the last token of a prompt")
        self.scorer.check(requests)
        answers = [(float("nan"), False)] * len(requests)
        for scored in self.scorer.score(requests):
            for index, answer in zip(scored.requests, scored.answers[0], strict=True):
                answers[index] = answer
        return answers
