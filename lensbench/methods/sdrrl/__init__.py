"""SDRRL (arXiv 2402.12204; a baseline in arXiv 2410.04407): learning the model's own English answers in several languages."""

from lensbench.methods.sdrrl.config import SdrrlConfig

__all__ = ["SdrrlConfig"]
