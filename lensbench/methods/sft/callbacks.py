"""Callbacks of transformers' Trainer: progress, the log, and a stop before a step that is not finite."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from transformers import TrainerCallback

from lensbench.errors import RunError
from lensbench.methods.sft.batches import token_mean_loss

__all__ = ["Diverged", "StepLog", "Watch"]


class Diverged(RunError):
    """A loss or gradient was not finite; no step was taken with it."""

    def __init__(self, step: int, what: str) -> None:
        super().__init__(
            f"training diverged: {what} is not finite at step {step}; stopped with the parameters of step {step - 1}",
            "A smaller learning_rate usually helps.",
        )
        self.step = step
        self.delta: Any = None
        """The last good state, as an enhancement; set before the error leaves the method."""
        self.log: list[StepLog] = []
        """The steps that were taken."""


@dataclass(frozen=True)
class StepLog:
    """One optimiser step, as stored; `loss` in nats per token with loss, `grad_norm` before clipping."""

    step: int
    loss: float
    grad_norm: float
    learning_rate: float


class Watch(TrainerCallback):  # type: ignore[misc,unused-ignore]
    """Callback and loss function in one, since both need to know the step.

    Args:
        advance: Called after every step with 1 and a note.
    """

    def __init__(self, advance: Callable[[int, str], None]) -> None:
        self.advance = advance
        self.log: list[StepLog] = []

    @property
    def coming(self) -> int:
        """1-based number of the step that is being computed."""
        return len(self.log) + 1

    def loss(self, outputs: Any, labels: torch.Tensor, num_items_in_batch: Any = None) -> torch.Tensor:
        """The loss of a micro-batch, checked before any gradient of it is computed.

        Raises:
            Diverged: it is not finite.
        """
        loss = token_mean_loss(outputs.logits, labels, num_items_in_batch)
        if not bool(torch.isfinite(loss)):
            raise Diverged(self.coming, "the loss")
        return loss

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        grads = [p.grad for p in kwargs["model"].parameters() if p.grad is not None]
        if not math.isfinite(float(torch.nn.utils.get_total_norm(grads))):
            raise Diverged(self.coming, "the gradient norm")

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **kwargs: Any) -> None:
        if not logs or "loss" not in logs:  # the summary at the very end
            return
        self.log.append(StepLog(state.global_step, logs["loss"], logs.get("grad_norm", math.nan), logs["learning_rate"]))
        self.advance(1, f"loss {logs['loss']:.4f}")
