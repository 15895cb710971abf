"""Supervised fine-tuning, shared by the methods that are nothing but data: xSFT, QAlign and their kin.

Light on purpose: a dry run reads the configuration through it.
"""

from lensbench.methods.sft.config import SftConfig

__all__ = ["SftConfig"]
