"""Settings of QAlign."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from lensbench.errors import UsageError
from lensbench.jsonio import JsonObject
from lensbench.methods.corpora.parallel import check_pairs
from lensbench.methods.sft.config import SftConfig

__all__ = ["PRESETS", "QalignConfig"]


class QalignConfig(SftConfig):
    """Configuration of QAlign, its first stage only."""

    preset: Literal["default", "small"] = "default"
    """Preset from which the values start."""
    n_pairs: int | None = Field(default=800, ge=1)
    """Pairs in all, split evenly over the target languages; null takes all there are."""
    template: Literal["chat", "alpaca"] = "chat"
    """The model's chat template, or the layout of Alpaca ended with the end-of-sequence token."""
    pairs: str = "bactrian_x"
    """Questions aligned with English: prompts of bactrian_x, sentences of ntrex, or a path to a file (docs/data.md)."""
    bactrian_split: str = "train"

    learning_rate: float = Field(default=2e-5, gt=0)
    epochs: int = Field(default=3, ge=1)
    warmup_ratio: float = Field(default=0.03, ge=0, lt=1)
    max_length: int = Field(default=512, ge=2)
    """Tokens of question and translation together; longer pairs are left out."""

    def check(self, targets: Sequence[str]) -> None:
        """Checks of every fine-tuning, and at least one pair for each target language."""
        super().check(targets)
        check_pairs(self.pairs, targets)
        if self.n_pairs is not None and self.n_pairs < len(targets):
            raise UsageError(f"n_pairs={self.n_pairs} is less than one pair for each of {len(targets)} target languages")


PRESETS: dict[str, JsonObject] = {
    "default": {},
    # For a model of 135M parameters on two cores; the embedded set has 96 pairs per language.
    "small": {"n_pairs": 64, "epochs": 2, "max_length": 192, "learning_rate": 5e-5, "micro_batch": 1},
}
