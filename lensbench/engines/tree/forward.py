"""One pass of the tree engine over all branches: shared blocks once, then each branch's own, then the head for scored tokens."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from lensbench.engines.blocks import BlockCalls, Blocks
from lensbench.engines.layer_sharing import BASE_BRANCH, Branch, trunk_length
from lensbench.engines.tree.attention import AttentionStep, KeysValues, RowTensors, narrow_rows
from lensbench.engines.tree.attention_rows import cut_rows, lay_out
from lensbench.engines.tree.head import score_targets
from lensbench.engines.tree.pack import Pass
from lensbench.engines.tree.prompt_end_patch import Captured, PromptEnds, capture, find_prompt_ends

__all__ = ["Counts", "PassRunner", "ScoredTargets"]

_TRUNK = -1
"""The backbone's own place among the branches."""

_Found = tuple[Float[Tensor, " targets"], Bool[Tensor, " targets"]]
"""Log-probability of each target, and whether it is the likeliest token."""


@dataclass
class Counts:
    """What was computed, over all passes of an engine; a token read for several branches counts once."""

    unique_tokens: int = 0
    forwarded_tokens: int = 0
    passes: int = 0
    head_positions: int = 0
    """Tokens for which the vocabulary projection was computed, per branch."""
    block_tokens: int = 0
    """Tokens x blocks."""


@dataclass(frozen=True)
class ScoredTargets:
    """Log-probabilities of one pass.

    Attributes:
        requests: `[targets]`.
        logprobs: `[branches, targets]`, nats.
        greedy: `[branches, targets]`: no token is more likely.
    """

    requests: np.ndarray
    logprobs: np.ndarray
    greedy: np.ndarray


@dataclass
class PrefixKV:
    """Keys and values of a prefix, by branch and block."""

    branches: dict[int, dict[int, KeysValues]] = field(default_factory=dict)


@dataclass
class _Read:
    """A pass as tensors."""

    ids: Int[Tensor, " tokens"]
    depths: Int[Tensor, " tokens"]
    rows: RowTensors
    at: Int[Tensor, " scored"]
    """Scored tokens, in rising order."""
    narrow: RowTensors | None
    """Rows with scored tokens as the only queries; None where the last block is computed for all tokens."""
    keep: bool
    prompts: PromptEnds | None
    """None also if no branch needs them."""
    before: PrefixKV
    prefix: PrefixKV = field(default_factory=PrefixKV)
    """Of this pass and all in front of it; filled while the pass runs, if `keep`."""
    captured: Captured = field(default_factory=Captured)


class PassRunner:
    """Runs passes for a fixed list of branches; holds the KV cache of the prefixes of the present pass."""

    def __init__(self, blocks: Blocks, branches: list[Branch], device: torch.device, counts: Counts) -> None:
        self._blocks, self._branches, self._device, self.counts = blocks, branches, device, counts
        self._trunk = trunk_length(branches, blocks.count)
        self._has_patches = any(branch.is_patch for branch in branches)
        self._with_base = self._has_patches or any(branch.start is None for branch in branches)
        self._first_patch = min((self._start(branch) for branch in branches if branch.is_patch), default=blocks.count)
        self._untouched = {i: {b.untouched[i] for b in branches if b.untouched and i in b.untouched} for i in range(blocks.count)}
        self._prefixes: dict[Pass, PrefixKV] = {}

    def run(self, step: Pass) -> ScoredTargets:
        """Log-probabilities of a pass's scored tokens under every branch; the passes of its prefix must have been run.

        Prefixes that it does not see are given up.
        """
        chain = step.chain()
        self._prefixes = {above: prefix for above, prefix in self._prefixes.items() if above in chain}
        layout = lay_out(step)
        flat, requests, tokens = _targets(step, layout.starts)
        at = np.unique(flat)
        cached = int(step.segments[0].depth)
        rows = cut_rows(step, layout)
        read = _Read(
            ids=self._tensor(layout.ids),
            depths=self._tensor(layout.depths),
            rows=RowTensors(rows, layout, cached, self._device),
            at=self._tensor(at),
            narrow=narrow_rows(rows, layout, cached, self._device, at),
            keep=step.is_prefix,
            prompts=find_prompt_ends(step, layout, rows, at, cached, self._device) if self._has_patches else None,
            before=self._prefixes[step.above] if step.above is not None else PrefixKV(),
        )
        self.counts.passes += 1
        self.counts.forwarded_tokens += len(layout.ids)
        place, wanted = self._tensor(np.searchsorted(at, flat)), self._tensor(tokens)
        self._run_trunk(read)
        as_base = self._run_base(read, place, wanted)
        logprobs, greedy = [], []
        for branch_index, branch in enumerate(self._branches):
            found = as_base
            if branch.start is not None and not (branch.is_patch and read.prompts is None):
                with branch.applied():
                    run = self._run_patched if branch.is_patch else self._run_branch
                    found = self._score(run(branch_index, branch, read), place, wanted)
            assert found is not None
            logprobs.append(found[0].double().cpu().numpy())
            greedy.append(found[1].cpu().numpy())
        if step.is_prefix:
            self._prefixes[step] = read.prefix
        return ScoredTargets(requests, np.stack(logprobs), np.stack(greedy))

    def _tensor(self, numbers: np.ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(numbers)).to(self._device)

    def _start(self, branch: Branch) -> int:
        return self._trunk if branch.start is None else min(branch.start, self._blocks.count - 1)

    def _run_trunk(self, read: _Read) -> None:
        """States in front of every block at which a branch leaves."""
        starts = {self._start(branch) for branch in self._branches if branch.start != 0}
        starts |= {self._trunk} if self._with_base else set()
        if not starts:
            return
        calls = self._blocks.enter(read.ids, read.depths)
        states = calls.states
        for index in range(self._trunk + 1):
            if index in starts:
                read.captured.leaving[index] = (states, calls)
            if index < self._trunk:
                with self._capturing(index, read):
                    states = self._block(_TRUNK, index, states, calls, read)

    def _run_base(self, read: _Read, place: Int[Tensor, " targets"], wanted: Int[Tensor, " targets"]) -> _Found | None:
        """The backbone itself, if anything rests on it; scored, if that is asked for."""
        if not self._with_base:
            return None
        read.captured.last = self._run_branch(_TRUNK, BASE_BRANCH, read)
        if read.prompts is not None and all(branch.is_patch for branch in self._branches):
            return None
        return self._score(read.captured.last, place, wanted)

    def _run_branch(self, branch_index: int, branch: Branch, read: _Read) -> Float[Tensor, "1 scored hidden"]:
        """Outputs of the last block at the scored tokens."""
        start = self._start(branch)
        if branch.start == 0:
            # Its embeddings may be its own.
            calls = self._blocks.enter(read.ids, read.depths)
            states = calls.states
        else:
            states, calls = read.captured.leaving[start]
        last = self._blocks.count - 1
        for index in range(start, last):
            states = self._block(branch_index, index, states, calls, read)
        with self._capturing(last, read) if branch_index == _TRUNK else nullcontext():
            if len(read.at) and read.narrow is None:
                return self._block(branch_index, last, states, calls, read)[:, read.at]
            step = AttentionStep(None, read.before.branches.get(branch_index, {}).get(last))
            if read.keep or len(read.at):
                self._blocks.keys_values(last, states, calls, step)
            self._note(branch_index, last, step, read)
            if not len(read.at):
                return states[:, :0]
            self.counts.block_tokens += len(read.at)
            return self._blocks.for_some(last, states, read.ids, read.depths, read.at, read.narrow, step.known)

    def _run_patched(self, branch_index: int, branch: Branch, read: _Read) -> Float[Tensor, "1 scored hidden"]:
        """Outputs of the last block at the scored tokens: the backbone's, except behind the ends of prompts."""
        prompts, captured, start, last = read.prompts, read.captured, self._start(branch), self._blocks.count - 1
        assert prompts is not None and captured.last is not None and branch.untouched is not None
        if not (read.keep or len(prompts.scored)):
            return captured.last
        untouched = captured.of(branch.untouched)
        ids, depths = read.ids[prompts.own], read.depths[prompts.own]
        with self._blocks.editing(prompts.ends_own, untouched):
            calls = self._blocks.enter(ids, depths)
            states = calls.states if branch.start == 0 else captured.leaving[start][0][:, prompts.own]
            for index in range(start, last + 1):
                if prompts.above:
                    step = AttentionStep(prompts.rows, read.before.branches[branch_index][index])
                else:
                    step = AttentionStep(prompts.rows, among=(captured.known[index], prompts.places))
                whole = index < last or len(prompts.scored) == len(prompts.own)
                if whole:
                    states = self._blocks.block(index, states, calls, step)
                    self.counts.block_tokens += states.shape[1]
                else:
                    self._blocks.keys_values(index, states, calls, step)
                self._note(branch_index, index, step, read)
        if not len(prompts.scored):
            return captured.last
        if not whole:
            with self._blocks.editing(prompts.last_scored, untouched):
                states = self._blocks.for_some(last, states, ids, depths, prompts.scored, prompts.scored_rows, step.known)
            self.counts.block_tokens += states.shape[1]
        return captured.last.index_copy(1, prompts.scored_at, states)

    def _capturing(self, index: int, read: _Read) -> AbstractContextManager[None]:
        """Capture what interventions take from a block of the backbone."""
        if read.prompts is None or not self._untouched[index]:
            return nullcontext()
        at = read.prompts.ends
        if index == self._blocks.count - 1:
            at = read.prompts.last if read.narrow is None else read.prompts.last_at
        return capture(list(self._untouched[index]), at, read.captured)

    def _block(
        self, branch_index: int, index: int, states: Tensor, calls: BlockCalls, read: _Read
    ) -> Float[Tensor, "1 tokens hidden"]:
        step = AttentionStep(read.rows, read.before.branches.get(branch_index, {}).get(index))
        states = self._blocks.block(index, states, calls, step)
        self._note(branch_index, index, step, read)
        self.counts.block_tokens += states.shape[1]
        return states

    def _note(self, branch_index: int, index: int, step: AttentionStep, read: _Read) -> None:
        """Hold on to keys and values that passes below, or interventions, will read."""
        if step.known is None:
            return
        if read.keep:
            read.prefix.branches.setdefault(branch_index, {})[index] = step.known
        if branch_index == _TRUNK and read.prompts is not None and index >= self._first_patch:
            read.captured.known[index] = step.known

    def _score(
        self, states: Float[Tensor, "1 scored hidden"], place: Int[Tensor, " targets"], wanted: Int[Tensor, " targets"]
    ) -> _Found:
        self.counts.head_positions += states.shape[1]
        return score_targets(self._blocks, states, place, wanted)


def _targets(step: Pass, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Index in the pass, request and token of everything that is scored in it."""
    rows = [
        (start + offset, request, token)
        for segment, start in zip(step.segments, starts[:-1].tolist(), strict=True)
        for offset, request, token in segment.scored
    ]
    flat, requests, tokens = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    return flat, requests, tokens
