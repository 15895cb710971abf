"""Settings of xSFT-Full: all rows in the target languages."""

from __future__ import annotations

from lensbench.jsonio import JsonObject
from lensbench.methods.xsft.config import XsftPools

__all__ = ["PRESETS", "XsftFullConfig"]


class XsftFullConfig(XsftPools):
    """Configuration of xSFT-Full; nothing in the central language is learned."""


PRESETS: dict[str, JsonObject] = {
    "default": {},
    "small": {"n_bactrian": 0, "n_total": 64, "max_length": 256, "learning_rate": 5e-5, "micro_batch": 1},
}
