"""Training: pull, push and retain on the last blocks (section 3.2 of the paper)."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor

from lensbench.backbones.load import LoadedBackbone
from lensbench.errors import RunError, UsageError
from lensbench.methods.base import Progress
from lensbench.methods.corpora.probing import ParallelPrompt
from lensbench.methods.lens.config import LensConfig
from lensbench.methods.lens.losses import alignment_loss, push_loss, retention_loss
from lensbench.methods.lens.prompts import train_ids
from lensbench.methods.lens.readers import Reader, pick_reader
from lensbench.methods.lens.shared import SharedStates
from lensbench.methods.lens.states import ForkedBlocks
from lensbench.methods.lens.subspaces import Subspaces

__all__ = ["Constants", "Diverged", "Losses", "StepLog", "accumulate", "train"]


class Diverged(RunError):
    """A loss or gradient was not finite; the parameters are those of the last good step."""

    def __init__(self, step: int, what: str) -> None:
        super().__init__(
            f"training diverged: {what} is not finite at step {step}; stopped with the parameters of step {step - 1}",
            "A smaller learning_rate or push_strength usually helps.",
        )
        self.step = step
        self.delta: Any = None
        """The last good state, as an enhancement; set by the method before the error leaves it."""


@dataclass(frozen=True)
class Losses:
    """The three losses before their weights, summed over target languages and over the layers that are read."""

    alignment: float
    push: float
    retention: float

    def total(self, config: LensConfig) -> float:
        return config.alignment_weight * self.alignment + config.push_weight * self.push + config.retain_weight * self.retention


@dataclass(frozen=True)
class StepLog:
    """One optimiser step, as stored."""

    step: int
    alignment: float
    push: float
    retention: float
    total: float
    grad_norm: float
    learning_rate: float


def train(
    loaded: LoadedBackbone,
    blocks: ForkedBlocks,
    subspaces: Mapping[int, Subspaces],
    prompts: Sequence[ParallelPrompt],
    languages: Sequence[str],
    config: LensConfig,
    progress: Progress,
    shared: SharedStates | None = None,
) -> tuple[list[StepLog], int]:
    """Train the forked blocks.

    Args:
        subspaces: By layer; what the losses read.
        prompts: One item is one prompt in all languages.
        languages: The central language first.
        shared: States that other fits read too.

    Returns:
        The log of every step, and the number of prompt tokens seen.

    Raises:
        Diverged: a loss or the gradient norm is not finite; no step is taken with it.
        UsageError: the warm-up would take every step.
    """
    from transformers import get_cosine_schedule_with_warmup

    encoded = {code: train_ids(loaded, [prompt.text[code] for prompt in prompts], config) for code in languages}
    steps_per_epoch = -(-len(prompts) // config.batch_size)
    total_steps = steps_per_epoch * config.epochs
    # The default implementation makes temporaries as large as all trained parameters; the fused one makes none.
    optimiser = torch.optim.AdamW(
        blocks.parameters(), lr=config.learning_rate, betas=(0.9, 0.999), eps=1e-8, weight_decay=config.weight_decay, fused=True
    )
    warmup_steps = math.ceil(config.warmup_ratio * total_steps)
    if warmup_steps >= total_steps:
        raise UsageError(
            f"{total_steps} steps in all, of which the warm-up takes {warmup_steps}: nothing would be trained",
            "Use more prompts or epochs, a smaller batch_size, or warmup_ratio=0.",
        )
    schedule = get_cosine_schedule_with_warmup(optimiser, warmup_steps, total_steps)
    constants = {layer: Constants.of(found, loaded.device) for layer, found in subspaces.items()}
    order = random.Random(config.seed)
    log: list[StepLog] = []
    tokens = 0
    micro_batch = config.micro_batch_on(loaded.device.type)
    with ExitStack() as stack:
        if shared is None:
            # What is read once or twice need not be in memory.
            shared = stack.enter_context(SharedStates((blocks.start,), blocks.layers, 0))
        reader = pick_reader(blocks, encoded, config, shared, progress)
        # Frozen blocks say the same in every epoch.
        with progress.stage(
            f"reading {len(prompts)} prompts", sum(len(set(map(tuple, own))) for own in encoded.values())
        ) as advance:
            reader.begin(encoded, advance)
        advance = stack.enter_context(progress.stage(f"training {len(blocks.trained)} blocks", total_steps))
        for _epoch in range(config.epochs):
            shuffled = order.sample(range(len(prompts)), len(prompts))
            for start in range(0, len(shuffled), config.batch_size):
                chosen = shuffled[start : start + config.batch_size]
                parts = []
                for begin in range(0, len(chosen), micro_batch):
                    micro = chosen[begin : begin + micro_batch]
                    rows = {code: [encoded[code][index] for index in micro] for code in languages}
                    tokens += sum(len(row) for side in rows.values() for row in side)
                    share = len(micro) / len(chosen)
                    losses = accumulate(reader, constants, rows, config, share)
                    if not math.isfinite(losses.total(config)):
                        raise Diverged(len(log) + 1, "the loss")
                    parts.append((share, losses))
                norm = float(torch.nn.utils.clip_grad_norm_(blocks.parameters(), config.max_grad_norm))
                if not math.isfinite(norm):
                    raise Diverged(len(log) + 1, "the gradient norm")
                rate = float(schedule.get_last_lr()[0])
                optimiser.step()
                schedule.step()
                optimiser.zero_grad(set_to_none=True)
                mean = Losses(*(sum(s * getattr(p, f.name) for s, p in parts) for f in fields(Losses)))
                log.append(StepLog(len(log) + 1, mean.alignment, mean.push, mean.retention, mean.total(config), norm, rate))
                advance(1, f"pull {mean.alignment:.4f}  push {mean.push:.4f}  retain {mean.retention:.4f}")
    return log, tokens


@dataclass(frozen=True)
class Constants:
    """Subspaces in float32 on the device of the model."""

    agnostic: Tensor
    specific: Tensor
    directions: Tensor

    @classmethod
    def of(cls, found: Subspaces, device: torch.device) -> Constants:
        return cls(*(t.to(device, torch.float32) for t in (found.agnostic, found.specific, found.directions)))


def accumulate(
    reader: Reader,
    constants: Mapping[int, Constants],
    rows: Mapping[str, Sequence[Sequence[int]]],
    config: LensConfig,
    share: float = 1.0,
) -> Losses:
    """Add the gradients of one micro-batch, and say what its losses were.

    The graph of the targets that are read together is freed before the next ones are read, so memory does not grow with the
    languages: the alignment loss meets the central states as a leaf, whose gradient is then carried through the central
    language's own graph.

    Args:
        rows: Language code -> token ids of the same prompts; the central language first. The reader has begun with them.
        share: What the micro-batch counts in its batch.
    """
    first, *targets = rows
    central = reader.central(rows[first])
    leaves = {layer: central.states[layer][:, -1].detach().requires_grad_() for layer in constants}
    alignment = push = retention = 0.0
    for group in reader.targets({code: rows[code] for code in targets}):
        total: Tensor | float = 0.0
        for code, target in group.items():
            number = targets.index(code)
            for layer, constant in constants.items():
                aligned = alignment_loss(leaves[layer], target.states[layer], constant.agnostic, config.reduction)
                pushed = push_loss(
                    target.states[layer],
                    target.reference[layer],
                    constant.specific,
                    constant.directions[number],
                    config.strength_of(code),
                    config.reduction,
                )
                total = total + config.alignment_weight * aligned + config.push_weight * pushed
                alignment += float(aligned.detach())
                push += float(pushed.detach())
        torch.as_tensor(total * share).backward()
    total = 0.0
    for layer in constants:
        retained = retention_loss(
            central.states[layer], central.reference[layer], central.mask, config.retain_pool, config.reduction
        )
        retention += float(retained.detach())
        total = total + share * config.retain_weight * retained
        leaf = leaves[layer].grad
        if leaf is not None and not config.detach_central:
            # Its derivative with respect to the central states is exactly the gradient the leaf has gathered.
            total = total + (central.states[layer][:, -1] * leaf).sum()
    torch.as_tensor(total).backward()
    return Losses(alignment, push, retention)
