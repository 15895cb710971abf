"""Batches and the loss over them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from lensbench.methods.sft.encode import IGNORED

__all__ = ["collator", "token_mean_loss"]


def collator(pad_token: int) -> Callable[[Sequence[Mapping[str, list[int]]]], dict[str, Tensor]]:
    """A function that pads rows (`input_ids`, `labels`) on the right to the longest of them."""

    def collate(rows: Sequence[Mapping[str, list[int]]]) -> dict[str, Tensor]:
        width = max(len(row["input_ids"]) for row in rows)
        ids = torch.full((len(rows), width), pad_token, dtype=torch.long)
        labels = torch.full((len(rows), width), IGNORED, dtype=torch.long)
        mask = torch.zeros((len(rows), width), dtype=torch.long)
        for index, row in enumerate(rows):
            length = len(row["input_ids"])
            ids[index, :length] = torch.tensor(row["input_ids"])
            labels[index, :length] = torch.tensor(row["labels"])
            mask[index, :length] = 1
        return {"input_ids": ids, "attention_mask": mask, "labels": labels}

    return collate


def token_mean_loss(
    logits: Float[Tensor, "batch seq vocab"], labels: Int[Tensor, "batch seq"], n_tokens: Any
) -> Float[Tensor, ""]:
    """Cross-entropy in nats, summed over the tokens with loss and divided by `n_tokens`.

    Args:
        labels: Not shifted: the logits at a position are about the label at the next one.
        n_tokens: Tokens with loss in the whole batch, of which these rows may be a part; so parts add up to the mean over tokens.
    """
    shifted = labels[:, 1:].reshape(-1)
    # Only rows of the matrix that count are brought to fp32: at a large vocabulary it is the largest thing in memory.
    counted = shifted != IGNORED
    chosen = logits[:, :-1].reshape(-1, logits.shape[-1])[counted].float()
    total: Tensor = functional.cross_entropy(chosen, shifted[counted], reduction="sum")
    return total / n_tokens
