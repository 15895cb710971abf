"""The tree engine: all variants of a backbone at once, through one token trie per task."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Generator, Mapping, Sequence, Set

from lensbench.engines.base import BaseEngine
from lensbench.engines.division import passes_of_items
from lensbench.engines.generation.answer_variants import answer_variants
from lensbench.engines.layer_sharing import BASE_BRANCH, Branch, branch_of_variant, held_on_device
from lensbench.engines.noise import farther, largest_noise
from lensbench.engines.protocol import (
    Answer,
    AnswerRequest,
    AssignToRanks,
    CannotScore,
    Engine,
    EngineVariant,
    GeneratedAnswer,
    ScoredItems,
    ScoringRequests,
    TokenRequest,
)
from lensbench.engines.reference.lm import LensLM
from lensbench.engines.tree.scorer import TreeScorer

__all__ = ["TreeEngine", "measure_noise"]


class TreeEngine(BaseEngine):
    """Each distinct token is read once, and once for all variants that share the blocks it passes through."""

    @functools.cached_property
    def _scorer(self) -> TreeScorer | CannotScore:
        try:
            loaded = self.model.loaded()
            return TreeScorer(loaded, max_length=self.encoder.max_length, batch_size=self.settings.batch_size)
        except CannotScore as error:
            return error

    @functools.cached_property
    def _branches(self) -> dict[tuple[str, str], Branch | None]:
        """By variant and language: to find a branch the variant is applied, which is not free.

        What only changes weights is the same in every language. On an accelerator its tensors stay there: to bring them again for
        every pass would take longer than the pass.
        """
        return {}

    def _branch(self, variant: EngineVariant, language: str) -> Branch | None:
        weights = variant.enhancement is not None and variant.enhancement.mergeable
        key = (variant.name, "" if weights else language)
        if key not in self._branches:
            loaded = self.model.loaded()
            branch = branch_of_variant(loaded, variant, language)
            if branch is not None and weights and loaded.device.type != "cpu":
                branch = held_on_device(loaded, branch)
            self._branches[key] = branch
        return self._branches[key]

    def forget(self, variants: Sequence[EngineVariant]) -> None:
        names = {variant.name for variant in variants}
        for key in [key for key in self._branches if key[0] in names]:
            del self._branches[key]

    @property
    def _ready(self) -> TreeScorer:
        if isinstance(self._scorer, CannotScore):
            raise self._scorer
        return self._scorer

    handles_prompt_ends = True
    noise_of_merged = False

    def supports(self, variant: EngineVariant, language: str) -> str | None:
        if isinstance(self._scorer, CannotScore):
            return self._scorer.message
        return "it changes the backbone in a way of its own" if self._branch(variant, language) is None else None

    def refuses(self, requests: ScoringRequests) -> str | None:
        try:
            self._ready.check(requests.flat())
        except CannotScore as error:
            return error.message
        return None

    def noise(self, samples: Sequence[ScoringRequests], variants: Sequence[EngineVariant], reference: Engine) -> float:
        """Measured on the backbone and on interventions.

        Exchanged parameters are read as the backbone's own are; an intervention is computed in another way.
        """
        scorer, lm = self._ready, LensLM(self.model.loaded(), batch_size=self.settings.batch_size)
        whole = [request for sample in samples for request in sample.flat()]
        scorer.check(whole)
        noise = measure_noise(lm, scorer, whole)
        # What can be merged exchanges parameters; to find its branch it would be applied for nothing.
        others = [variant for variant in variants if variant.enhancement is not None and not variant.enhancement.mergeable]
        for sample in samples:
            for variant in others:
                branch = self._branch(variant, sample.language)
                if branch is not None and branch.is_patch:
                    noise = measure_noise(lm, scorer, sample.flat(), branch, noise)
        if math.isfinite(noise) and noise > largest_noise(self.model.dtype):
            raise CannotScore(f"the tree engine is {noise:.2g} nats off on this model")
        return noise

    def score(
        self, requests: ScoringRequests, variants: Sequence[EngineVariant], wanted: Mapping[str, Set[str]]
    ) -> Generator[ScoredItems, None, None]:
        """An item that is wanted under one variant is scored under all of them."""
        any_wanted: Set[str] = set().union(*wanted.values())
        branches = [self._known_branch(variant, requests.language) for variant in variants]
        owners = [item for item, asked in requests.items.items() for _ in asked]
        first: dict[str, int] = {}
        for index, item in enumerate(owners):
            first.setdefault(item, index)
        indices = {index for index, item in enumerate(owners) if item in any_wanted}
        answers: dict[str, list[list[Answer | None]]] = {}
        for scored in self._ready.score(requests.flat(), branches, indices):
            done: list[str] = []
            for place, index in enumerate(scored.requests):
                item = owners[index]
                held = answers.setdefault(item, [[None] * len(requests.items[item]) for _ in variants])
                for mine, found in zip(held, scored.answers, strict=True):
                    mine[index - first[item]] = found[place]
                if None not in held[0]:
                    done.append(item)
            if done:
                found_of = [answers.pop(item) for item in done]
                yield ScoredItems(
                    done,
                    {variant.name: [held[row] for held in found_of] for row, variant in enumerate(variants)},  # type: ignore[misc]
                )

    def _known_branch(self, variant: EngineVariant, language: str) -> Branch:
        branch = self._branch(variant, language)
        if branch is None:
            raise CannotScore(f"{variant.name} cannot be scored by the tree engine")
        return branch

    def divide(
        self, requests: ScoringRequests, variants: Sequence[EngineVariant], wanted: Mapping[str, Set[str]], assign: AssignToRanks
    ) -> Mapping[str, Set[str]]:
        """Whole passes; items that are read together mostly stay together."""
        any_wanted: Set[str] = set().union(*wanted.values())
        passes = self._ready.plan(requests.flat())
        places = passes_of_items(passes, [item for item, asked in requests.items.items() for _ in asked])
        # An item without a token to score has no pass.
        needed = sorted({places.get(item, 0) for item in any_wanted})
        costs = [passes[number].tokens if passes else 1 for number in needed]
        mine = dict(zip(needed, assign(costs, keep_neighbours=True), strict=True))
        return {name: {item for item in items if mine[places.get(item, 0)]} for name, items in wanted.items()}

    def answer(
        self,
        requests: Sequence[AnswerRequest],
        variants: Sequence[EngineVariant],
        language: str,
        on_answer: Callable[[int, GeneratedAnswer], None],
    ) -> None:
        self.encoder.refuse_unknown_ids(request.prompt for request in requests)
        answer_variants(
            self.model.loaded(),
            requests,
            variants,
            language,
            self.settings.batch_size,
            on_answer,
            branch_of=lambda variant: self._branch(variant, language),
        )


def measure_noise(
    lm: LensLM, scorer: TreeScorer, requests: Sequence[TokenRequest], branch: Branch = BASE_BRANCH, noise: float = 0.0
) -> float:
    """Largest difference in nats between the trie and the reference over a sample of requests; at least one rounding of a score.

    The sample is scored apart from everything else, so that it comes out alike whenever a run goes on.

    Args:
        branch: The variant that is scored.
        noise: What was found so far.
    """
    with branch.applied():
        expected = [ll for ll, _ in lm.score_tokens(requests)]
    for scored in scorer.score(requests, [branch]):
        for index, (ll, _) in zip(scored.requests, scored.answers[0], strict=True):
            noise = farther(noise, ll, expected[index])
    return noise
