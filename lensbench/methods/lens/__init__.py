"""LENS (arXiv 2410.04407): language-agnostic and language-specific subspaces, and training that works on them."""

from lensbench.methods.lens.config import LensConfig
from lensbench.methods.lens.decompose import Subspaces, decompose
from lensbench.methods.lens.method import METHOD, Lens

__all__ = ["METHOD", "Lens", "LensConfig", "Subspaces", "decompose"]
