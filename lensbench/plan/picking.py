"""Check of a rule for the choice of a setting against the plan."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from lensbench.errors import UsageError
from lensbench.metrics import LANGUAGES, RATINGS, SCORES
from lensbench.numbers.picking.rule import PickRule
from lensbench.spec import VariantChoice

__all__ = ["planned_rule"]


def planned_rule(
    rule: PickRule, variants: Sequence[VariantChoice], generates: Sequence[bool], languages: Sequence[str]
) -> PickRule:
    """The rule with the endpoint that it will use.

    Args:
        variants: The fitted variants of the run.
        generates: Of every task in a target language, whether answers to it are generated.
        languages: Target languages.

    Raises:
        UsageError: there is nothing to choose among, or no task has the endpoint.
    """
    if not languages:
        raise UsageError("``pick``: the run has no target language to choose by", "Name one with ``languages``.")
    settings = Counter(method for method, _ in dict.fromkeys((v.method, _without_seed(v)) for v in variants))
    if not any(count > 1 for count in settings.values()):
        found = ", ".join(f"{method} has {count}" for method, count in settings.items()) or "no method is given"
        raise UsageError(
            f"``pick`` chooses among several settings of a method, and there is nothing to choose: {found}",
            "Try several with ``sweep`` or ``variants``, or leave ``pick`` out. Seeds are no settings.",
        )
    kinds = [asks for asks, there in ((SCORES.asks, not all(generates)), (LANGUAGES.asks, any(generates))) if there]
    if any(generates):
        kinds.append(RATINGS.asks)
    if rule.endpoint is None:
        return replace(rule, endpoint=kinds[0])
    if rule.endpoint not in kinds:
        raise UsageError(
            f"``pick=endpoint={rule.endpoint}``: no task of this run has it", f"It can be chosen by {' or '.join(kinds)}."
        )
    return rule


def _without_seed(variant: VariantChoice) -> str:
    return repr(sorted((key, repr(value)) for key, value in variant.config.items() if key != "seed"))
