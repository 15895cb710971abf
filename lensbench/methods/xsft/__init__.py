"""xSFT and xSFT-Full (arXiv 2410.04407, baselines): instruction tuning on multilingual data."""

from lensbench.methods.xsft.config import XsftConfig
from lensbench.methods.xsft.full import XsftFullConfig

__all__ = ["XsftConfig", "XsftFullConfig"]
