"""Settings of xSFT."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from lensbench.errors import UsageError
from lensbench.jsonio import JsonObject
from lensbench.methods.sft.config import SftConfig

__all__ = ["PRESETS", "XsftConfig", "XsftPools"]


class XsftPools(SftConfig):
    """Settings by which both variants of xSFT choose rows."""

    preset: Literal["default", "small"] = "default"
    """Preset from which the values start."""
    n_aya: int | None = Field(default=None, ge=0)
    """Rows of the Aya Dataset per language; null takes all with an answer, 0 does without the data set."""
    n_bactrian: int | None = Field(default=None, ge=0)
    """Rows of Bactrian-X per target language; null and 0 as above."""
    n_total: int | None = Field(default=None, ge=1)
    """How many of the rows chosen so far are used, sampled over all pools; null uses all."""
    bactrian_split: str = "train"
    """Split of Bactrian-X; `alpaca_demo` is the stand-in with answers that `lensbench data import` makes."""

    def check(self, targets: Sequence[str]) -> None:
        """Checks of every fine-tuning, and at least one of the two data sets."""
        super().check(targets)
        if self.n_aya == 0 and self.n_bactrian == 0:
            raise UsageError("n_aya and n_bactrian are both 0: there is nothing to learn from")


class XsftConfig(XsftPools):
    """Configuration of xSFT."""

    n_aya: int | None = Field(default=300, ge=0)
    """Rows of the Aya Dataset per language, the central one included; null takes all with an answer, 0 does without."""
    n_bactrian: int | None = Field(default=200, ge=0)
    """Rows of Bactrian-X per target language; null and 0 as above."""


PRESETS: dict[str, JsonObject] = {
    "default": {},
    # For a model of 135M parameters on two cores, and for the embedded set, whose Bactrian-X rows have no answers.
    "small": {"n_aya": 48, "n_bactrian": 0, "max_length": 256, "learning_rate": 5e-5, "micro_batch": 1},
}
