"""One pass of the tree engine over all branches: shared blocks once, then each branch's own, then the head where it is read."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from lensbench.engine.attention import AttentionStep, KeysValues, RowTensors
from lensbench.engine.blocks import BlockCalls, Blocks
from lensbench.engine.branches import Branch, trunk_length
from lensbench.engine.pack import Pass
from lensbench.engine.rows import cut_rows, lay_out, only_queries

__all__ = ["Counts", "PassRunner", "ScoredTargets"]

_LOGITS = 2**23
"""Logits that are held at a time: 32 MiB in fp32."""
_SLICE = 2**20
"""Logits that are normalised at a time: few enough to stay in a processor's cache."""
_NARROW = 2 / 3
"""The last block is computed for scored tokens only, where they are at most this part of a pass."""


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
class _Kept:
    """Keys and values of a kept pass and all above it: by lane (-1 is the trunk) and block."""

    lanes: dict[int, dict[int, KeysValues]] = field(default_factory=dict)


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


class PassRunner:
    """Runs passes for a fixed list of branches; holds what was kept of passes above the present one."""

    def __init__(self, blocks: Blocks, branches: list[Branch], device: torch.device, counts: Counts) -> None:
        self._blocks, self._branches, self._device, self.counts = blocks, branches, device, counts
        self._trunk = trunk_length(branches, blocks.count)
        self._kept: dict[Pass, _Kept] = {}

    def run(self, step: Pass) -> ScoredTargets:
        """Log-probabilities of a pass's scored tokens under every branch; the kept passes it sees must have been run.

        Kept passes that it does not see are given up.
        """
        chain = step.chain()
        self._kept = {above: kept for above, kept in self._kept.items() if above in chain}
        layout = lay_out(step)
        flat, requests, tokens = _targets(step, layout.starts)
        at = np.unique(flat)
        cached = int(step.segments[0].depth)
        rows = cut_rows(step, layout)
        few = len(at) <= _NARROW * len(layout.ids)
        read = _Read(
            ids=self._tensor(layout.ids),
            depths=self._tensor(layout.depths),
            rows=RowTensors(rows, layout, cached, self._device),
            at=self._tensor(at),
            narrow=RowTensors(only_queries(rows, at), layout, cached, self._device, at) if few and len(at) else None,
            keep=step.kept,
        )
        self.counts.passes += 1
        self.counts.forwarded_tokens += len(layout.ids)
        kept = _Kept()
        before = self._kept[step.above] if step.above is not None else _Kept()
        leaving = self._run_trunk(read, before, kept)
        place, wanted = self._tensor(np.searchsorted(at, flat)), self._tensor(tokens)
        logprobs, greedy = [], []
        for lane, branch in enumerate(self._branches):
            with branch.applied():
                states = self._run_branch(lane, branch, read, leaving, before, kept)
                found = self._score(states, place, wanted)
            logprobs.append(found[0].double().cpu().numpy())
            greedy.append(found[1].cpu().numpy())
        if step.kept:
            self._kept[step] = kept
        return ScoredTargets(requests, np.stack(logprobs), np.stack(greedy))

    def _tensor(self, numbers: np.ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(numbers)).to(self._device)

    def _start(self, branch: Branch) -> int:
        return self._trunk if branch.start is None else min(branch.start, self._blocks.count - 1)

    def _run_trunk(self, read: _Read, before: _Kept, kept: _Kept) -> dict[int, tuple[Tensor, BlockCalls]]:
        """States in front of every block at which a branch leaves."""
        starts = {self._start(branch) for branch in self._branches if branch.start is None or branch.start > 0}
        if not starts:
            return {}
        calls = self._blocks.enter(read.ids, read.depths)
        states, leaving = calls.states, {}
        for index in range(self._trunk + 1):
            if index in starts:
                leaving[index] = (states, calls)
            if index < self._trunk:
                states = self._block(-1, index, states, calls, read, before, kept)
        return leaving

    def _run_branch(
        self,
        lane: int,
        branch: Branch,
        read: _Read,
        leaving: dict[int, tuple[Tensor, BlockCalls]],
        before: _Kept,
        kept: _Kept,
    ) -> Float[Tensor, "1 scored hidden"]:
        """Outputs of the last block at the scored tokens."""
        start = self._start(branch)
        if branch.start == 0:
            # Its embeddings may be its own.
            calls = self._blocks.enter(read.ids, read.depths)
            states = calls.states
        else:
            states, calls = leaving[start]
        last = self._blocks.count - 1
        for index in range(start, last):
            states = self._block(lane, index, states, calls, read, before, kept)
        if len(read.at) and read.narrow is None:
            return self._block(lane, last, states, calls, read, before, kept)[:, read.at]
        step = AttentionStep(None, before.lanes.get(lane, {}).get(last))
        if read.keep or len(read.at):
            self._blocks.keys_values(last, states, calls, step)
        if read.keep and step.known is not None:
            kept.lanes.setdefault(lane, {})[last] = step.known
        if not len(read.at):
            return states[:, :0]
        self.counts.block_tokens += len(read.at)
        inner = self._blocks.enter(read.ids[read.at], read.depths[read.at])
        return self._blocks.block(last, states[:, read.at], inner, AttentionStep(read.narrow, whole=step.known))

    def _block(
        self, lane: int, index: int, states: Tensor, calls: BlockCalls, read: _Read, before: _Kept, kept: _Kept
    ) -> Float[Tensor, "1 tokens hidden"]:
        step = AttentionStep(read.rows, before.lanes.get(lane, {}).get(index))
        states = self._blocks.block(index, states, calls, step)
        if read.keep and step.known is not None:
            kept.lanes.setdefault(lane, {})[index] = step.known
        self.counts.block_tokens += states.shape[1]
        return states

    def _score(
        self, states: Float[Tensor, "1 scored hidden"], place: Int[Tensor, " targets"], wanted: Int[Tensor, " targets"]
    ) -> tuple[Float[Tensor, " targets"], Bool[Tensor, " targets"]]:
        """Log-probability of each target behind the scored token at its place, and whether it is the most likely one."""
        logprobs = torch.zeros(len(place), dtype=torch.float32, device=self._device)
        greedy = torch.zeros(len(place), dtype=torch.bool, device=self._device)
        self.counts.head_positions += states.shape[1]
        held, normalised = (max(size // self._blocks.vocabulary, 1) for size in (_LOGITS, _SLICE))
        for start in range(0, states.shape[1], held):
            logits = self._blocks.logits(states[:, start : start + held])
            for low, part in enumerate(logits.split(normalised)):
                low = start + low * normalised
                mine = ((place >= low) & (place < low + len(part))).nonzero()[:, 0]
                row, token = place[mine] - low, wanted[mine]
                logprobs[mine] = part.float().log_softmax(-1)[row, token]
                greedy[mine] = part.argmax(-1)[row] == token
        return logprobs, greedy


def _targets(step: Pass, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Index in the pass, request and token of everything that is scored in it."""
    rows = [
        (start + offset, request, token)
        for segment, start in zip(step.segments, starts[:-1].tolist(), strict=True)
        for offset, request, token in segment.scored
    ]
    flat, requests, tokens = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    return flat, requests, tokens
