"""Log-probabilities of tokens from the last block's outputs, a part of the vocabulary at a time.

Logits of a part stay in a processor's cache until they are normalised; all of them at once would go through memory several times.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from lensbench.engines.blocks import Blocks

__all__ = ["score_targets"]

_LOGITS = {"cpu": 2**20}
"""Logits of a part, by device: 4 MiB in fp32 on a CPU. An accelerator, which waits for every call, takes more."""
_LOGITS_ELSEWHERE = 2**25
_NARROWEST = 256
"""Tokens of the vocabulary in a part, at least."""


def score_targets(
    blocks: Blocks, states: Float[Tensor, "1 scored hidden"], place: Int[Tensor, " targets"], wanted: Int[Tensor, " targets"]
) -> tuple[Float[Tensor, " targets"], Bool[Tensor, " targets"]]:
    """Log-probability (nats, fp32) of each target behind the scored token at its place, and whether it is the most likely one.

    Of equally likely tokens the first counts, as in the reference engine; in fp32 on a CPU, where there is hardly ever more than
    one and looking for its index is slow, each of them does.

    Args:
        states: Outputs of the last block.
        place: Of each target, which of `states` it follows.
        wanted: Token ids.
    """
    scored, device = states.shape[1], states.device
    chosen = torch.zeros(len(place), dtype=torch.float32, device=device)
    if not scored:
        return chosen, torch.zeros(len(place), dtype=torch.bool, device=device)
    width = max(_LOGITS.get(device.type, _LOGITS_ELSEWHERE) // scored, _NARROWEST)
    sums: list[Tensor] = []
    best, first = torch.full((scored,), float("-inf"), device=device), torch.full((scored,), -1, device=device)
    for low, part in blocks.logit_parts(states, width):
        indexed = part.dtype != torch.float32 or device.type != "cpu"
        part = part.float()
        largest = part.amax(-1)
        # `log_softmax` is several times as fast as `logsumexp`; at the largest logit it loses least.
        sums.append(largest - part.log_softmax(-1).amax(-1))
        mine = ((wanted >= low) & (wanted < low + part.shape[1])).nonzero()[:, 0]
        chosen[mine] = part[place[mine], wanted[mine] - low]
        if indexed:
            first = torch.where(largest > best, part.argmax(-1) + low, first)
        best = torch.maximum(best, largest)
    logprobs = chosen - torch.stack(sums).logsumexp(0)[place]
    return logprobs, first[place] == wanted if indexed else chosen >= best[place]
