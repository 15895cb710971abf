"""INCLINE (arXiv 2410.12462): least squares from a language's states to English ones, applied while a prompt is read.

What needs torch is imported when it is asked for: a plan reads the configuration in an installation without it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lensbench.methods.incline.config import InclineConfig

if TYPE_CHECKING:
    from lensbench.methods.incline.fit import Alignment, solve
    from lensbench.methods.incline.intervention import Intervention
    from lensbench.methods.incline.method import METHOD, Incline

__all__ = ["METHOD", "Alignment", "Incline", "InclineConfig", "Intervention", "solve"]

_LATER = {"METHOD": "method", "Incline": "method", "Alignment": "fit", "solve": "fit", "Intervention": "intervention"}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
