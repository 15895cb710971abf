"""Saving a model in its current state as a folder of safetensors."""

from __future__ import annotations

from pathlib import Path

from lensbench.backbones.headers import weight_headers
from lensbench.errors import RunError
from lensbench.records.log import write_failed

__all__ = ["save_model"]


def save_model(model: object, tokenizer: object, target: Path) -> None:
    """Write a model in its current state as a folder of safetensors.

    Raises:
        RunError: the disk is full, the folder cannot be written, or tensors of the model are not in it.
    """
    try:
        model.save_pretrained(target)  # type: ignore[attr-defined]
        tokenizer.save_pretrained(target)  # type: ignore[attr-defined]
        held = sum(header.numbers for header in weight_headers(target).values())
    except OSError as error:
        raise write_failed(target, error) from None
    # Tied weights are one parameter, and one tensor of the file.
    wanted = sum(parameter.numel() for parameter in model.parameters())  # type: ignore[attr-defined]
    if held < wanted:
        raise RunError(f"{target} holds {held:,} numbers of the model's {wanted:,}", "The model cannot be saved whole.")
