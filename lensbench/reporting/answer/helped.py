"""Did it help? One sentence for each enhanced variant, from the verdicts on its endpoints."""

from __future__ import annotations

from collections.abc import Sequence

from lensbench.reporting.answer.measure import Measure
from lensbench.reporting.answer.statement import Statement, Tone
from lensbench.spec import BASE

__all__ = ["helped"]

_ON = " on the targets"
_WORDS = {
    "better": f"better{_ON}",
    "worse": f"worse{_ON}",
    "differs": f"different{_ON}, and nothing tells which way is better",
    "not distinguishable": f"not distinguishable{_ON}",
}


def helped(measures: Sequence[Measure], variants: Sequence[str]) -> list[Statement]:
    """What the endpoints say of every variant.

    Args:
        variants: Enhanced variants, in the order of the run.
    """
    return [_of_variant(variant, measures) for variant in variants if variant != BASE]


def _of_variant(variant: str, measures: Sequence[Measure]) -> Statement:
    said: dict[str, list[str]] = {}
    cells: dict[str, None] = {}
    for measure in measures:
        if not measure.targets:
            continue
        average = measure.targets.get(variant)
        if average is None or average.value is None:
            said.setdefault("not measured", []).append(f"{measure.short} (a score of one of {measure.of_targets} is missing)")
            continue
        if average.delta is None or average.verdict is None:
            said.setdefault("not compared", []).append(f"{measure.short} (no score of {BASE} on the same items)")
            continue
        said.setdefault(_WORDS.get(average.verdict, average.verdict), []).append(measure.gain(average))
        cells.update(dict.fromkeys(average.cells))
    if not said:
        return Statement("nothing was measured in a target language", variant)
    ranked = sorted(said.items(), key=lambda one: _rank(one[0]))
    # Said once where a clause before it says it.
    clauses = [f"{what.removesuffix(_ON) if place else what}: {', '.join(parts)}" for place, (what, parts) in enumerate(ranked)]
    return Statement("; ".join(clauses) + ".", variant, _tone(said), tuple(cells))


def _rank(what: str) -> int:
    order = list(_WORDS.values())
    return order.index(what) if what in order else len(order)


def _tone(said: dict[str, list[str]]) -> Tone:
    up, down = _WORDS["better"] in said, _WORDS["worse"] in said
    # A variant that gains here and loses there is neither.
    return "better" if up and not down else "worse" if down and not up else "plain"
