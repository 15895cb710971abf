"""QAlign (github.com/NJUNLP/QAlign; a baseline in arXiv 2410.04407): translating questions into the central language."""

from lensbench.methods.qalign.config import QalignConfig

__all__ = ["QalignConfig"]
