"""LENS (arXiv 2410.04407): language-agnostic and language-specific subspaces, and training that works on them.

What needs torch is imported when it is asked for: a plan reads the configuration in an installation without it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lensbench.methods.lens.config import LensConfig

if TYPE_CHECKING:
    from lensbench.methods.lens.method import METHOD, Lens
    from lensbench.methods.lens.subspaces import Subspaces, decompose

__all__ = ["METHOD", "Lens", "LensConfig", "Subspaces", "decompose"]

_LATER = {"METHOD": "method", "Lens": "method", "Subspaces": "subspaces", "decompose": "subspaces"}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
