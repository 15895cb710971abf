"""Agreement of raters."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["krippendorff_alpha", "within_unit_deviation"]


def krippendorff_alpha(ratings: NDArray[Any]) -> float | None:
    """Krippendorff's alpha for interval data: 1 is perfect agreement, 0 is chance, below 0 is systematic disagreement.

    Args:
        ratings: `[raters, units]`, NaN where a rater gave no rating.

    Returns:
        None where it is not defined: no unit has two ratings, or all ratings are equal.

    Examples:
        >>> krippendorff_alpha(np.array([[1, 2, 3, 4], [1, 2, 3, 4]]))
        1.0
        >>> krippendorff_alpha(np.array([[5, 5], [5, 5]])) is None
        True
    """
    values = np.asarray(ratings, dtype=float)
    rated = ~np.isnan(values)
    pairable = rated.sum(0) >= 2
    values, rated = values[:, pairable], rated[:, pairable]
    n = int(rated.sum())
    if n < 2:
        return None
    filled = np.where(rated, values, 0.0)
    per_unit = rated.sum(0)
    # The sum of squared differences over ordered pairs of m values is 2 m sum(v^2) - 2 sum(v)^2.
    within = 2 * per_unit * (filled**2).sum(0) - 2 * filled.sum(0) ** 2
    observed = float((within / (per_unit - 1)).sum() / n)
    expected = float((2 * n * (filled**2).sum() - 2 * filled.sum() ** 2) / (n * (n - 1)))
    return None if expected <= 1e-12 else 1 - observed / expected


def within_unit_deviation(ratings: NDArray[Any]) -> float | None:
    """Standard deviation of repeated ratings of the same unit, pooled over units; None when no unit was rated twice.

    Args:
        ratings: `[repeats, units]`, NaN if one is missing.
    """
    values = np.asarray(ratings, dtype=float)
    counts = (~np.isnan(values)).sum(0)
    several = values[:, counts >= 2]
    if several.size == 0:
        return None
    means = np.nanmean(several, axis=0)
    return float(np.sqrt(np.nansum((several - means) ** 2) / (counts[counts >= 2] - 1).sum()))
