"""Supervised fine-tuning, shared by the methods that consist only of training data: xSFT, QAlign and others.

Light on purpose: a dry run reads the configuration through it.
"""

from lensbench.methods.sft.config import SftConfig

__all__ = ["SftConfig"]
