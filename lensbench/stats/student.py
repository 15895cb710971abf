"""Quantiles of Student's t distribution, for degrees of freedom that need not be whole numbers."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["student_quantile"]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(48)
_STEPS = 30


def student_quantile(freedom: ArrayLike, share: float = 0.975) -> NDArray[Any]:
    """The t below which a share of the distribution lies.

    With `t = sqrt(freedom) tan(x)` the density becomes `cos(x) ^ (freedom - 1)`, which Gauss-Legendre integrates. Newton's method
    starts below the root, and the integral is concave, so it rises to the root and never passes it.

    Args:
        freedom: 1 or more, at most 10 million.
        share: Above one half, below 1.

    Raises:
        ValueError: freedom below 1, or a share outside of its range.

    Examples:
        >>> student_quantile([1, 10, 100]).round(3)
        array([12.706,  2.228,  1.984])
    """
    v = np.minimum(np.asarray(freedom, dtype=np.float64), 1e7)
    if not (v >= 1).all() or not 0.5 < share < 1:
        raise ValueError("needs freedom of 1 or more, and a share above 0.5 and below 1")
    log_gamma = np.vectorize(math.lgamma, otypes=[float])
    scale = np.exp(log_gamma((v + 1) / 2) - log_gamma(v / 2)) / math.sqrt(math.pi)
    x = np.arctan(NormalDist().inv_cdf(share) / np.sqrt(v))
    for _ in range(_STEPS):
        at = x[..., None] * (1 + _NODES) / 2
        area = scale * x / 2 * (np.cos(at) ** (v[..., None] - 1) @ _WEIGHTS)
        x = x + (share - 0.5 - area) / (scale * np.cos(x) ** (v - 1))
    return np.asarray(np.sqrt(v) * np.tan(x))
