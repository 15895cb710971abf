"""What did it cost? One sentence for each variant that was fitted."""

from __future__ import annotations

from lensbench.numbers.run_results import Results
from lensbench.reporting.answer.statement import Statement
from lensbench.reporting.text.cost import cost_parts
from lensbench.spec import BASE

__all__ = ["what_it_cost"]


def what_it_cost(results: Results) -> list[Statement]:
    """Time and share of trained weights of each fit, as far as they are recorded."""
    found = []
    for variant in results.variants:
        if variant == BASE:
            continue
        cost = results.costs.get(variant)
        if cost is not None:
            found.append(Statement(", ".join(cost_parts(cost)) + ".", variant))
        elif results.variants[variant].external is not None:
            found.append(Statement("another checkpoint; what it cost is not known.", variant))
        else:
            found.append(Statement("not recorded.", variant))
    return found
