"""The smallest true difference that a comparison of this size detects in four cases of five."""

from __future__ import annotations

from statistics import NormalDist

__all__ = ["ALPHA", "POWER", "detectable_mean", "detectable_share"]

ALPHA = 0.05
POWER = 0.8


def detectable_mean(standard_error: float, *, tests: float = 1, alpha: float = ALPHA, power: float = POWER) -> float | None:
    """For a mean difference with a known standard error: `(z(1 - alpha / 2 tests) + z(power)) x error`, by the normal
    approximation.

    Args:
        standard_error: Standard error of the paired difference, clustered if the items are.
        tests: Size of the family that Holm adjusts for. Dividing alpha by it is Holm's strictest step, so the worst case.

    Returns:
        None where the error is 0 or not a number: nothing varied, so nothing is known of what could be seen.
    """
    return _reach(tests, alpha, power)[2] * standard_error if standard_error > 0 else None


def detectable_share(
    items: int, differing: float, *, tests: float = 1, alpha: float = ALPHA, power: float = POWER
) -> float | None:
    """For 0/1 scores under McNemar's test: the smallest difference of shares, by Connor (1987).

    The larger the share of items on which the two differ, the more of them it takes. That share is at least the difference
    itself, so a comparison in which nothing differed still has an answer.

    Args:
        items: Pairs.
        differing: Share of the pairs in which exactly one of the two is right, as observed.
        tests: See `detectable_mean`.

    Returns:
        None where no difference, not even 1, would be found.
    """
    of_test, of_power, _ = _reach(tests, alpha, power)

    def found(difference: float) -> bool:
        share = max(differing, difference)
        return bool(items * difference**2 >= (of_test * share**0.5 + of_power * (share - difference**2) ** 0.5) ** 2)

    if items < 1 or not found(1.0):
        return None
    low, high = 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (low, middle) if found(middle) else (middle, high)
    return high


def _reach(tests: float, alpha: float, power: float) -> tuple[float, float, float]:
    normal = NormalDist()
    of_test, of_power = normal.inv_cdf(1 - alpha / 2 / max(tests, 1)), normal.inv_cdf(power)
    return of_test, of_power, of_test + of_power
