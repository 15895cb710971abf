"""Did English suffer? One sentence for each enhanced variant, against the margin that the run was given."""

from __future__ import annotations

from collections.abc import Sequence

from lensbench.numbers.average import Average
from lensbench.reporting.answer.measure import Measure
from lensbench.reporting.answer.statement import Statement, Tone
from lensbench.spec import BASE

__all__ = ["english_kept"]


def english_kept(measures: Sequence[Measure], variants: Sequence[str]) -> list[Statement]:
    """Whether each variant is worse in English, or no worse than the margin, or neither is shown."""
    asked = [measure for measure in measures if measure.english]
    if not asked:
        return [Statement("Not measured: the run asks nothing in English.", tone="warning")]
    return [*(_of_variant(variant, asked) for variant in variants if variant != BASE), *_margins(asked)]


def _margins(measures: Sequence[Measure]) -> list[Statement]:
    """How large a loss counts as none; nothing where no variant was compared."""
    found: dict[str, None] = {}
    for measure in measures:
        margin = next((a.margin for a in measure.english.values() if a.margin is not None), None)
        if margin is not None:
            found[f"{measure.loss(margin)} of {measure.short}"] = None
    return [Statement(f"The margin is {', '.join(found)}.")] if found else []


def _of_variant(variant: str, measures: Sequence[Measure]) -> Statement:
    said: dict[str, list[str]] = {}
    cells: dict[str, None] = {}
    for measure in measures:
        average = measure.english.get(variant)
        if average is None or average.value is None:
            said.setdefault("not measured", []).append(f"{measure.short} (a score is missing)")
        elif average.delta is None:
            said.setdefault("not compared", []).append(f"{measure.short} (no score of {BASE} on the same items)")
        else:
            said.setdefault(_word(average), []).append(_text(average, measure))
            cells.update(dict.fromkeys(average.cells))
    order = ["worse in English", "no loss as large as the margin", "a loss is not ruled out"]
    ranked = sorted(said.items(), key=lambda one: order.index(one[0]) if one[0] in order else len(order))
    text = "; ".join(f"{what}: {', '.join(parts)}" for what, parts in ranked) + "."
    tone: Tone = "worse" if order[0] in said else "better" if list(said) == [order[1]] else "plain"
    return Statement(text, variant, tone, tuple(cells))


def _word(average: Average) -> str:
    if average.retention == "worse":
        return "worse in English"
    if average.retention == "shown":
        return "no loss as large as the margin"
    if average.at_worst is None:
        return "no interval, so no loss is ruled out"
    return "a loss is not ruled out"


def _text(average: Average, measure: Measure) -> str:
    assert average.delta is not None
    text = f"{measure.short} {measure.difference(average.delta)}{measure.metric.unit.difference}"
    if average.at_worst is not None:
        text += f", at worst {measure.difference(average.at_worst)}"
    if average.retention == "worse" and average.margin is not None and average.at_worst is not None:
        text += " (within the margin)" if abs(average.at_worst) < average.margin else ""
    return text
