"""Settings of every fine-tuning method."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Sequence

from pydantic import Field

from lensbench.backbones.shape import Shape
from lensbench.errors import UnavailableError, UsageError
from lensbench.methods.config import MethodConfig

__all__ = ["SftConfig"]


class SftConfig(MethodConfig):
    """Optimisation and window; the methods add what they learn from."""

    learning_rate: float = Field(default=1e-5, gt=0)
    epochs: int = Field(default=1, ge=1)
    batch_size: int = Field(default=8, ge=1)
    """Items per optimiser step."""
    micro_batch: int = Field(default=2, ge=1)
    """Items per forward pass, a divisor of `batch_size`; gradients add up. More is faster on an accelerator, in more memory."""
    warmup_ratio: float = Field(default=0.05, ge=0, lt=1)
    """Share of the steps, rounded up."""
    weight_decay: float = Field(default=0.0, ge=0)
    max_grad_norm: float = Field(default=1.0, gt=0)
    max_length: int = Field(default=1024, ge=2)
    """Tokens of prompt and answer together."""
    checkpointing: bool = False
    """Compute activations anew in the backward pass instead of keeping them: slower, less memory."""
    lora_rank: int | None = Field(default=None, ge=1)
    """Train low-rank adapters of this rank instead (needs the package peft); null trains every parameter."""
    lora_alpha: float | None = Field(default=None, gt=0)
    """Scale of the adapters; null is twice the rank."""
    lora_targets: tuple[str, ...] = ()
    """Last parts of the names of the modules that get an adapter, such as `q_proj`; none given is every linear one."""
    seed: int = 42
    """Seed of sampling, order and adapters."""

    def check(self, targets: Sequence[str]) -> None:
        """A target, a micro-batch that divides the batch, and peft where LoRA is asked for.

        Raises:
            UsageError: no target language, or a `micro_batch` that does not divide `batch_size`.
            UnavailableError: `lora_rank` without the package peft.
        """
        if not targets:
            raise UsageError("fine-tuning needs a target language in addition to the central one", "Example: ``languages=zh``")
        if self.batch_size % self.micro_batch:
            divisors = [n for n in range(1, self.batch_size + 1) if self.batch_size % n == 0]
            raise UsageError(
                f"micro_batch {self.micro_batch} does not divide batch_size {self.batch_size}",
                f"It can be {', '.join(map(str, divisors))}.",
            )
        if self.lora_rank is not None and importlib.util.find_spec("peft") is None:
            raise UnavailableError(
                f"lora_rank={self.lora_rank} needs the package 'peft', which is not installed",
                "pip install 'lensbench[lora]', or lora_rank=null to train every parameter.",
            )

    def floor_bytes(self, shape: Shape, weight_bytes: int) -> int:
        """16 bytes for each trained parameter, and beside adapters the frozen weights."""
        if self.lora_rank is None:
            return 16 * shape.parameters
        adapted = [
            size
            for name, size in shape.linears.items()
            if not self.lora_targets or any(name == target.split(".")[-1] for target in self.lora_targets)
        ]
        adapters = shape.layers * self.lora_rank * sum(inputs + outputs for inputs, outputs in adapted)
        return shape.parameters * weight_bytes + 16 * adapters

    def steps(self, items: int) -> tuple[int, int]:
        """Optimiser steps for a number of items: all of them, and those of the warm-up.

        Raises:
            UsageError: the warm-up would take every step.
        """
        total = math.ceil(items / self.batch_size) * self.epochs
        warmup = math.ceil(self.warmup_ratio * total)
        if warmup >= total:
            raise UsageError(
                f"{items} items make {total} steps, of which the warm-up takes {warmup}: nothing would be trained",
                "Use more items or epochs, a smaller batch_size, or warmup_ratio=0.",
            )
        return total, warmup
