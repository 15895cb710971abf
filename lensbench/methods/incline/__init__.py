"""INCLINE (arXiv 2410.12462): least squares from a language's states to English ones, applied while a prompt is read."""

from lensbench.methods.incline.config import InclineConfig
from lensbench.methods.incline.fit import Alignment, solve
from lensbench.methods.incline.intervention import Intervention
from lensbench.methods.incline.method import METHOD, Incline

__all__ = ["METHOD", "Alignment", "Incline", "InclineConfig", "Intervention", "solve"]
