"""What did it cost? One sentence for each variant that was fitted."""

from __future__ import annotations

from lensbench.numbers.run_results import Results
from lensbench.reporting.answer.statement import Statement
from lensbench.reporting.text.cost import cost_parts, duration
from lensbench.spec import BASE

__all__ = ["what_it_cost"]


def what_it_cost(results: Results) -> list[Statement]:
    """Time and share of trained weights of each fit, as far as they are recorded."""
    found = []
    for variant in results.variants:
        if variant == BASE or variant in results.left_out:
            continue
        cost = results.costs.get(variant)
        if cost is not None:
            found.append(Statement(", ".join(cost_parts(cost)) + ".", variant))
        elif results.variants[variant].external is not None:
            found.append(Statement("another checkpoint; what it cost is not known.", variant))
        else:
            found.append(Statement("not recorded.", variant))
    tried = [seconds for name in results.left_out if (seconds := _seconds(results, name)) is not None]
    if tried:
        found.append(Statement(f"The {len(tried)} fits that were tried and not chosen took {duration(sum(tried))} together."))
    return found


def _seconds(results: Results, variant: str) -> float | None:
    cost = results.costs.get(variant)
    return None if cost is None else cost.spent_seconds
