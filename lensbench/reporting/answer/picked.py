"""How was the setting chosen? Which items chose, by which rule, and how much the choice flatters the chosen setting."""

from __future__ import annotations

from collections.abc import Sequence

from lensbench.metrics import UNITS, metric_in
from lensbench.metrics.unit import NUMBER, Unit
from lensbench.numbers.picking.picked import Candidate, MethodPick, Picked, SideNumbers
from lensbench.numbers.picking.sides import SplitCount
from lensbench.records import TaskKey
from lensbench.reporting.answer.statement import Statement
from lensbench.reporting.run_view import RunView

__all__ = ["difference_text", "how_chosen", "loss_text", "pick_unit", "short_metric", "side_counts"]

_FEW = 30
"""Fewer development source items than this in a cell choose nearly at random."""


def how_chosen(run: RunView) -> list[Statement]:
    """One sentence for each method, then what divides the items; nothing of a run that chose nothing."""
    picked = run.results.picked
    if picked is None:
        return []
    found = [_method(picked, one) for one in picked.methods]
    found += _items(picked)
    if not picked.before_results:
        found.append(
            Statement(
                "The rule or the margin was set after the run had results: someone may have seen the test items' numbers before.",
                tone="warning",
            )
        )
    return found


def pick_unit(picked: Picked) -> Unit:
    """The unit of the endpoint's values."""
    return UNITS.get(picked.unit or "", NUMBER)


def short_metric(picked: Picked) -> str:
    """The endpoint's metric in few words; its question where the development items have no number."""
    if picked.metric is None:
        return picked.endpoint
    content = {"metric": picked.metric, "unit": picked.unit, "source": picked.source, "higher_is_better": picked.higher_is_better}
    metric = metric_in(content)
    return metric.short or metric.title


def difference_text(unit: Unit, value: float | None, low: float | None, high: float | None) -> str:
    """`+4.1 points [+0.5, +7.7]`."""
    if value is None:
        return "no number"
    shown = f"{unit.text(value, sign=True)}{unit.difference}"
    if low is None or high is None:
        return f"{shown} (no interval)"
    return f"{shown} [{unit.text(low, sign=True)}, {unit.text(high, sign=True)}]"


def loss_text(unit: Unit, value: float) -> str:
    """A margin with its unit: `1 point`, `0.1`."""
    shown = f"{unit.scale * value:.6g}"
    return shown + (f" point{'' if shown == '1' else 's'}" if unit.difference else "")


def side_counts(picked: Picked) -> list[SplitCount]:
    """The divisions of the cells that chose: the endpoint's and those in English."""
    cells = {*picked.cells, *picked.english_cells}
    return [one for one in picked.counts if str(TaskKey(one.task, one.language)) in cells]


def _method(picked: Picked, pick: MethodPick) -> Statement:
    if pick.state == "one setting":
        return Statement("one setting, so there was nothing to choose.", pick.method)
    of = f"{pick.tried} settings"
    if pick.state == "not measured":
        return Statement(
            f"none of {of} was chosen: the development items have no {short_metric(picked)} of any that can be compared.",
            pick.method,
            "warning",
        )
    if pick.state == "none admissible":
        return Statement(
            f"none of {of} was chosen: {_refused(picked, picked.candidates_of(pick.method))}.", pick.method, "warning"
        )
    chosen = next((one for one in picked.candidates_of(pick.method) if one.chosen), None)
    unit = pick_unit(picked)
    text = f"chosen among {of}{_seeds(chosen)} on the development items"
    if chosen is not None:
        text += f": {short_metric(picked)} {_gain(unit, chosen.development)} there, {_gain(unit, chosen.test)} on the test items"
    text += f"; optimism of the choice {difference_text(unit, pick.optimism, pick.optimism_low, pick.optimism_high)}."
    if pick.tied:
        text += f" Equal there: {', '.join(pick.tied)}; the first in the order of the run was taken."
    return Statement(text, pick.setting, cells=picked.cells)


def _seeds(chosen: Candidate | None) -> str:
    return f" (mean of {len(chosen.variants)} seeds)" if chosen is not None and len(chosen.variants) > 1 else ""


def _gain(unit: Unit, side: SideNumbers) -> str:
    return difference_text(unit, side.delta, side.delta_low, side.delta_high)


def _refused(picked: Picked, candidates: Sequence[Candidate]) -> str:
    unit = pick_unit(picked)
    worse = [one for one in candidates if one.admission == "english below the margin"]
    told = []
    if worse and picked.margin is not None:
        told.append(f"{len(worse)} lost {loss_text(unit, picked.margin)} or more in English on the development items")
    unmeasured = sum(one.admission in ("not measured", "english not measured") for one in candidates)
    if unmeasured:
        told.append(f"{unmeasured} could not be measured there")
    return "; ".join(told)


def _items(picked: Picked) -> list[Statement]:
    """Which items chose; a warning where they are very few."""
    counts = side_counts(picked) or list(picked.counts)
    parts = []
    for split in dict.fromkeys(one.split for one in counts):
        own = [one for one in counts if one.split == split]
        which = f"{picked.share:.0%} of the source items by a hash of their names" if split is None else f"the {split} split"
        tasks = ", ".join(dict.fromkeys(one.task for one in own))
        parts.append(
            f"{sum(one.development for one in own)} development items chose ({tasks}: {which}), "
            f"{sum(one.test for one in own)} test items report"
        )
    text = f"{'; '.join(parts)}. All other numbers here are of test items."
    if picked.margin is not None:
        loss = loss_text(pick_unit(picked), picked.margin)
        text += f" A setting that lost {loss} or more in English on the development items could not be chosen."
    elif picked.cells and not picked.english_cells:
        text += " English was not asked, so nothing was demanded of it."
    found = [Statement(text)]
    few = [one for one in counts if one.development < _FEW]
    if few:
        least = min(few, key=lambda one: one.development)
        found.append(
            Statement(
                f"Few items chose ({least.development} source items in {TaskKey(least.task, least.language)}): with so few, the "
                "choice is largely chance. The test numbers hold all the same.",
                tone="warning",
            )
        )
    return found
