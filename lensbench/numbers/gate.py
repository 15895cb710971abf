"""Tests of a run: its endpoints together, and the languages of those endpoints that passed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from lensbench.numbers.average import Average
from lensbench.numbers.verdict import EXPLORATORY, make_verdict
from lensbench.stats import detectable_mean
from lensbench.stats.gatekeeping import first_shares, gated

__all__ = ["gate"]

_Measure = tuple[str, str, str, str, bool | None]


def gate(averages: Sequence[Average], errors: Sequence[float], left_out: Collection[str] = ()) -> list[Average]:
    """Averages with adjusted p-values, verdicts, and the difference that each test detects.

    All endpoints of all variants are one family. A language of an endpoint is tested where the endpoint has passed
    (`lensbench.stats.gatekeeping`). Other averages get no verdict.

    Args:
        averages: Of all variants of a run.
        errors: Standard error of each average's difference.
        left_out: Variants that belong to no family: settings that were tried and not chosen. Their averages are exploratory.
    """
    endpoints = [
        i for i, one in enumerate(averages) if one.role == "endpoint" and one.p_value is not None and one.variant not in left_out
    ]
    opened: list[list[int]] = [
        [
            i
            for i, one in enumerate(averages)
            if one.role == "language" and one.p_value is not None and _measure(one) == _measure(averages[endpoint])
        ]
        for endpoint in endpoints
    ]
    primary = np.array([averages[i].p_value for i in endpoints], dtype=float)
    languages = [np.array([averages[i].p_value for i in own], dtype=float) for own in opened]
    adjusted, shares = gated(primary, languages), first_shares([len(own) for own in opened])
    done = [replace(one, verdict=EXPLORATORY) if _only_shown(one, left_out) else one for one in averages]
    for place, endpoint in enumerate(endpoints):
        done[endpoint] = _tested(averages[endpoint], adjusted.primary[place], errors[endpoint], shares.primary[place])
        for i, p_holm, share in zip(opened[place], adjusted.opened[place], shares.opened[place], strict=True):
            done[i] = _tested(averages[i], p_holm, errors[i], share)
    return done


def _only_shown(one: Average, left_out: Collection[str]) -> bool:
    shown = one.role == "exploratory" or (one.role != "english" and one.variant in left_out)
    return shown and one.p_value is not None


def _measure(one: Average) -> _Measure:
    return one.variant, one.profile, one.metric, one.source, one.higher_is_better


def _tested(one: Average, p_holm: float, error: float, share: float) -> Average:
    return replace(
        one,
        p_holm=float(p_holm),
        verdict=make_verdict(float(p_holm), one.delta_low, one.delta_high, one.higher_is_better),
        smallest_detectable=detectable_mean(error, tests=1 / share) if share > 0 else None,
    )
