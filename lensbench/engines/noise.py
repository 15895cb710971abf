"""The rounding difference between two exact engines, and the items that it could decide."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch

from lensbench.engines.protocol import Answer

__all__ = ["could_change", "farther", "is_tied", "largest_noise"]


def farther(noise: float, found: float, expected: float) -> float:
    """The noise, or the difference between two scores in nats where that is more; at least one rounding, and NaN is the most."""
    one_rounding = torch.finfo(torch.float32).eps * abs(expected)
    # max() would pass over a NaN in its second place.
    difference = abs(found - expected)
    return difference if difference != difference else max(noise, difference, one_rounding)


def largest_noise(dtype: torch.dtype) -> float:
    """Nats above which two engines do not differ by rounding: one of them reads the model wrongly."""
    return 1e-2 if dtype in (torch.float32, torch.float64) else 2.0


def is_tied(loglikelihoods: Sequence[float], noise: float) -> bool:
    """Whether another choice could be the likeliest if every log-likelihood were off by `noise`."""
    if len(loglikelihoods) < 2:
        return False
    first, second = sorted(loglikelihoods, reverse=True)[:2]
    return first - second <= 2 * noise


def could_change(
    metrics: Mapping[str, float], answers: Sequence[Answer], noise: float, score: Callable[[list[Answer]], Mapping[str, float]]
) -> bool:
    """Whether a metric that is 0 or 1 would flip if one choice were likelier by `noise` and the others less likely.

    For metrics that do not compare log-likelihoods as they are, such as those divided by a length.
    """
    marks = {name: value for name, value in metrics.items() if value in (0.0, 1.0)}
    for favoured in range(len(answers)):
        moved = [(ll + (noise if index == favoured else -noise), greedy) for index, (ll, greedy) in enumerate(answers)]
        other = score(moved)
        if any(other[name] != value for name, value in marks.items()):
            return True
    return False
