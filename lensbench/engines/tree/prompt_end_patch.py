"""An intervention at the ends of prompts: only the tokens from there on are computed, with the backbone's KV cache.

In front of a prompt's end nothing can differ from the backbone, whichever blocks the intervention works in. Under option letters
it therefore costs one token an item.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from lensbench.engines.blocks import BlockCalls
from lensbench.engines.tree.attention import KeysValues, RowTensors
from lensbench.engines.tree.attention_rows import Layout, Row, only_queries
from lensbench.engines.tree.pack import Pass

__all__ = ["Captured", "PromptEnds", "capture", "find_prompt_ends"]


@dataclass(frozen=True)
class PromptEnds:
    """Where the prompts of a pass end, and what comes behind, as tensors; the same for all interventions.

    Attributes:
        own: `[own]`, tokens at or behind an end, in rising order: those that may differ from the backbone's.
        above: Whether a prompt ends in the prefix; then all tokens are `own`.
        places: The same tokens as indices of prefix and pass.
        rows: Rows with `own` as the only queries.
        scored: `[scored]`, those of `own` that are scored, as indices of `own`; the last block is computed for them only.
        scored_rows: Rows with them as the only queries; None if they are all of `own`.
        scored_at: The same tokens as indices of all scored tokens of the pass.
        ends, ends_own: `[ends]`, as indices of the pass and of `own`.
        last, last_scored, last_at: `[last]`, those ends that are scored, as indices of the pass, of `scored`, and of all scored
            tokens of the pass.
    """

    own: Int[Tensor, " own"]
    above: bool
    places: Int[Tensor, " own"]
    rows: RowTensors
    scored: Int[Tensor, " scored"]
    scored_rows: RowTensors | None
    scored_at: Int[Tensor, " scored"]
    ends: Int[Tensor, " ends"]
    ends_own: Int[Tensor, " ends"]
    last: Int[Tensor, " last"]
    last_scored: Int[Tensor, " last"]
    last_at: Int[Tensor, " last"]


def find_prompt_ends(
    step: Pass, layout: Layout, rows: Sequence[Row], at: np.ndarray, cached: int, device: torch.device
) -> PromptEnds | None:
    """Where prompts end in a pass and in its prefix; None if nowhere.

    Args:
        at: `[scored]`, scored tokens of the pass, in rising order.
        cached: Tokens of the prefix.
    """
    ends = np.array(
        [
            start + offset
            for segment, start in zip(step.segments, layout.starts[:-1].tolist(), strict=True)
            for offset in segment.ends
        ],
        dtype=np.int64,
    )
    above = any(segment.ends for prefix in step.chain() for segment in prefix.segments)
    if not above and not len(ends):
        return None
    behind = np.full(len(layout.ids), above)
    for end in ends:
        behind[end : layout.ends[end]] = True
    own, scored, last = np.flatnonzero(behind), at[behind[at]], np.intersect1d(ends, at)

    def tensor(numbers: np.ndarray) -> Tensor:
        return torch.from_numpy(numbers).to(device)

    def ask(wanted: np.ndarray) -> RowTensors:
        return RowTensors(only_queries(rows, wanted), layout, cached, device, wanted)

    return PromptEnds(
        own=tensor(own),
        above=above,
        places=tensor(own + cached),
        rows=ask(own),
        scored=tensor(np.searchsorted(own, scored)),
        scored_rows=ask(scored) if 0 < len(scored) < len(own) else None,
        scored_at=tensor(np.searchsorted(at, scored)),
        ends=tensor(ends),
        ends_own=tensor(np.searchsorted(own, ends)),
        last=tensor(last),
        last_scored=tensor(np.searchsorted(scored, last)),
        last_at=tensor(np.searchsorted(at, last)),
    )


@dataclass
class Captured:
    """What the backbone's own way through a pass leaves behind for the branches.

    Attributes:
        leaving: States in front of every block at which a branch leaves, and how blocks are called.
        known: Keys and values of prefix and pass, by block.
        outputs: Outputs of modules at the ends of prompts; of those in the last block at the ends that are scored.
        last: `[1, scored, hidden]`, outputs of the last block at the scored tokens.
    """

    leaving: dict[int, tuple[Float[Tensor, "1 tokens hidden"], BlockCalls]] = field(default_factory=dict)
    known: dict[int, KeysValues] = field(default_factory=dict)
    outputs: dict[nn.Module, Float[Tensor, "ends hidden"]] = field(default_factory=dict)
    last: Float[Tensor, "1 scored hidden"] | None = None

    def of(self, modules: Mapping[int, nn.Module]) -> dict[int, Tensor]:
        """Captured output of its module, by block."""
        return {index: self.outputs[module] for index, module in modules.items() if module in self.outputs}


@contextmanager
def capture(modules: Sequence[nn.Module], at: Int[Tensor, " ends"], captured: Captured) -> Iterator[None]:
    """Capture outputs of modules at some tokens, while the context lasts."""

    def keep(module: nn.Module, inputs: Any, output: Any) -> None:
        states = output[0] if isinstance(output, tuple) else output
        captured.outputs[module] = states[0, at]

    with ExitStack() as stack:
        for module in modules:
            stack.callback(module.register_forward_hook(keep).remove)
        yield
