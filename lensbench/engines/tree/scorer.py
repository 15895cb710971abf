"""Requests scored through a token trie: each distinct token is read once, and once for all variants that share its blocks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from lensbench.backbones.load import LoadedBackbone
from lensbench.engines.blocks import Blocks, CannotPack
from lensbench.engines.layer_sharing import BASE_BRANCH, Branch
from lensbench.engines.protocol import TokenRequest, has_prompt
from lensbench.engines.tree.forward import Counts, PassRunner, ScoredTargets
from lensbench.engines.tree.pack import Pass, plan_passes
from lensbench.engines.tree.trie import TokenSpan, build_trie, crossed
from lensbench.errors import RunError
from lensbench.memory import out_of_memory
from lensbench.threads import heed_load

__all__ = ["ScoredRequests", "TreeScorer"]

_TOKENS_PER_SEQUENCE = {"cpu": 64, "cuda": 512}
"""Tokens of a pass per sequence of a reference batch: where a CPU's or an accelerator's matrix products stop getting faster."""

_LEAST = 16
"""Below so many tokens a pass, memory is not what was missing."""


@dataclass(frozen=True)
class ScoredRequests:
    """Requests whose last token has just been scored.

    Attributes:
        requests: Their indices.
        answers: Per branch, per request: log-likelihood (nats), and whether the continuation is the greedy one.
    """

    requests: list[int]
    answers: list[list[tuple[float, bool]]]


@dataclass(frozen=True)
class _Part:
    """Requests that are scored through one trie.

    Attributes:
        variants: Indices of the branches that are scored through it.
        answers: `[branches, requests]`: which answers are taken from it.
    """

    root: TokenSpan
    variants: list[int]
    answers: np.ndarray


class TreeScorer:
    """Scores requests through a token trie.

    Args:
        loaded: The backbone.
        batch_size: Sequences of a reference batch; decides how many tokens a pass reads.
        budget: Tokens a pass reads, in place of that.
        max_length: Longest input, as in the reference engine.

    Raises:
        CannotPack: the reference engine must do it; says why.
    """

    def __init__(self, loaded: LoadedBackbone, *, max_length: int, batch_size: int = 16, budget: int | None = None) -> None:
        self._loaded, self._max_length = loaded, max_length
        self._blocks = Blocks(loaded)
        self.budget = budget or batch_size * _TOKENS_PER_SEQUENCE.get(loaded.device.type, 512)
        """Tokens a pass reads; halved for good when memory runs out."""
        self._first_budget = self.budget
        self.counts = Counts()

    def check(self, requests: Sequence[TokenRequest]) -> None:
        """
        Raises:
            CannotPack: an input is so long that the model encodes all positions of its batch in another way.
        """
        longest = max((len(self._read(request)) for request in requests), default=0)
        limit = self._blocks.longest
        if limit is not None and longest > limit:
            raise CannotPack(f"an input of {longest} tokens changes the positions of shorter ones (from {limit} on)")
        if any(len(target) > len(self._read((text, context, target))) for text, context, target in requests if target):
            raise CannotPack("a continuation is longer than the model's window")

    def score(
        self, requests: Sequence[TokenRequest], branches: Sequence[Branch] = (BASE_BRANCH,), wanted: set[int] | None = None
    ) -> Iterator[ScoredRequests]:
        """Score requests under every branch; each request comes once.

        Passes are made from all requests, also from those that are not wanted: what a token is read with decides its last bits,
        and a run that goes on is to find the same ones.

        Args:
            wanted: Indices of the requests to score; further ones may be scored along with them. None is all.
        """
        inputs = [self._read(request) for request in requests]
        targets = [target for _, _, target in requests]
        wanted = set(range(len(requests))) if wanted is None else wanted
        nothing = [index for index in sorted(wanted) if not targets[index]]
        if nothing:
            yield ScoredRequests(nothing, [[(0.0, True)] * len(nothing) for _ in branches])
        open_requests = {index for index in wanted if targets[index]}
        missing = np.array([len(target) if index in open_requests else 0 for index, target in enumerate(targets)], dtype=np.int64)
        left = np.tile(missing, (len(branches), 1))
        totals, greedy = np.zeros(left.shape), np.ones(left.shape, dtype=bool)
        for part in self._parts(requests, inputs, targets, branches):
            while (pending := part.answers & (left > 0)).any():
                # Sums that a pass which ran out of memory left unfinished begin anew.
                left, totals[pending], greedy[pending] = np.where(pending, missing, left), 0.0, True
                for found in self._run(part, branches, pending):
                    for row, mine in enumerate(part.variants):
                        counted = pending[mine, found.requests]
                        mine_only = found.requests[counted]
                        np.add.at(totals[mine], mine_only, found.logprobs[row][counted])
                        np.logical_and.at(greedy[mine], mine_only, found.greedy[row][counted])
                        np.subtract.at(left[mine], mine_only, 1)
                    done = sorted(
                        request for request in set(found.requests.tolist()) & open_requests if not left[:, request].any()
                    )
                    if done:
                        open_requests -= set(done)
                        yield ScoredRequests(
                            done, [[(float(t[r]), bool(g[r])) for r in done] for t, g in zip(totals, greedy, strict=True)]
                        )
        assert not open_requests, "requests were left out of the plan"

    def _parts(
        self,
        requests: Sequence[TokenRequest],
        inputs: Sequence[Sequence[int]],
        targets: Sequence[Sequence[int]],
        branches: Sequence[Branch],
    ) -> Iterator[_Part]:
        """One trie for all; behind it, where a prompt ends inside another request, one for interventions and such requests alone.

        No variant's trie depends on the company it is scored in, so neither do its last bits.
        """
        patches = np.array([branch.is_patch for branch in branches])
        prompted = [has_prompt(request) for request in requests]
        root = build_trie(inputs, targets, prompted if patches.any() else None)
        self.counts.unique_tokens += root.size
        again = np.zeros((len(branches), len(requests)), dtype=bool)
        astray = crossed(root, inputs, targets, prompted) if patches.any() else set()
        again[:, sorted(astray)] = patches[:, None]
        yield _Part(root, list(range(len(branches))), ~again)
        if astray:
            inputs, targets = ([ids if index in astray else () for index, ids in enumerate(part)] for part in (inputs, targets))
            yield _Part(build_trie(inputs, targets, prompted, apart=True), np.flatnonzero(patches).tolist(), again)

    def _run(self, part: _Part, branches: Sequence[Branch], pending: np.ndarray) -> Iterator[ScoredTargets]:
        """The passes that pending requests need, as far as memory lasts.

        Args:
            pending: `[branches, requests]`.
        """
        runner = PassRunner(self._blocks, [branches[row] for row in part.variants], self._loaded.device, self.counts)
        asked = set(np.flatnonzero(pending.any(0)).tolist())
        passes = plan_passes(part.root, self.budget)
        needed: set[Pass] = set()
        for step in passes:
            if step.requests & asked:
                needed.update((step, *step.chain()))
        for step in passes:
            if step not in needed:
                continue
            heed_load()
            try:
                with torch.inference_mode(), self._blocks.ready():
                    found = runner.run(step)
            except RuntimeError as error:
                self._spend_less(error)
                return
            yield found

    def plan(self, requests: Sequence[TokenRequest]) -> list[Pass]:
        """The passes that `score` makes while memory suffices."""
        return plan_passes(self._trie(requests), self._first_budget)

    def estimate(self, requests: Sequence[TokenRequest]) -> dict[str, int]:
        """Tokens that scoring would read, and scored positions, without running anything."""
        root = self._trie(requests)
        passes = plan_passes(root, self.budget)
        return {
            "unique_tokens": root.size,
            "forwarded_tokens": sum(step.tokens for step in passes),
            "head_positions": sum(len({offset for offset, _, _ in s.scored}) for step in passes for s in step.segments),
            "passes": len(passes),
        }

    def _trie(self, requests: Sequence[TokenRequest]) -> TokenSpan:
        return build_trie([self._read(request) for request in requests], [target for _, _, target in requests])

    def _read(self, request: TokenRequest) -> list[int]:
        _, context, target = request
        return (context + target)[-(self._max_length + 1) :][:-1]

    def _spend_less(self, error: RuntimeError) -> None:
        """Halve the budget after an out-of-memory; any other error goes on."""
        if not out_of_memory(error):
            raise error
        if self.budget <= _LEAST:
            raise RunError(
                f"scoring runs out of memory even with {self.budget} tokens at a time",
                "Use a smaller model or ``dtype=bfloat16``.",
            ) from error
        self.budget = max(self.budget // 2, _LEAST)
        if self._loaded.device.type == "cuda":
            torch.cuda.empty_cache()
