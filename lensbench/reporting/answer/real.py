"""Is it real? What the intervals cover, what was not measured, and how small a difference the endpoints can show."""

from __future__ import annotations

import math
from collections.abc import Sequence

from lensbench.metrics import RATINGS, metric_of
from lensbench.numbers.seed_groups import SeedGroup
from lensbench.reporting.answer.measure import Measure
from lensbench.reporting.answer.rows import MOST_VARIANTS, Rows
from lensbench.reporting.answer.settings import seeds_together
from lensbench.reporting.answer.statement import Statement
from lensbench.reporting.names import named
from lensbench.reporting.run_view import RunView
from lensbench.spec import BASE

__all__ = ["is_it_real"]

_WANTED = {True: 0.06, False: 0.5}
"""Difference for which the number of items is named where an endpoint cannot show as little: points of a share, of a rating."""


def is_it_real(run: RunView, measures: Sequence[Measure], rows: Rows) -> list[Statement]:
    """One sentence each on items, seeds, the judge and the identifier."""
    together = rows.folded and run.sweep_table.seeded
    seeds = seeds_together(measures, run.sweep_table) if together else _seeds(run, measures)
    return [*_items(measures), *seeds, *_judge(run), *_script(run), *_repetitive(run)]


def _items(measures: Sequence[Measure]) -> list[Statement]:
    found = []
    for measure in measures:
        reach = [a.smallest_detectable for a in measure.targets.values() if a.smallest_detectable is not None]
        tested = [a for a in measure.targets.values() if a.p_holm is not None]
        if not tested:
            continue
        n = max(a.n for a in tested)
        unit = measure.metric.unit
        if not reach:
            found.append(Statement(f"{measure.short}: {n} scores, too few or too alike to say what they could show."))
            continue
        text = f"{measure.short}: {n} scores show a difference of {unit.text(max(reach))}{unit.difference} in four of five cases"
        wanted = _WANTED[unit.proportion]
        if max(reach) > wanted:
            needed = math.ceil(n * (max(reach) / wanted) ** 2)
            text += f"; about {needed} would show {unit.text(wanted)}"
        found.append(Statement(text + "."))
    return found


def _seeds(run: RunView, measures: Sequence[Measure]) -> list[Statement]:
    """One sentence for each setting with several seeds and each endpoint; otherwise what was not measured."""
    told = {name: facts for name, facts in run.results.variants.items() if name not in run.results.left_out}
    fitted = [name for name, facts in told.items() if name != BASE and facts.method is not None]
    if not fitted:
        return [Statement("Training seeds: nothing was fitted.")]
    groups = [group for group in run.results.seed_groups if group.role == "endpoint"]
    several = {name for group in run.results.seed_groups for name in group.variants}
    if not several:
        return [Statement("Training seeds: not measured (one a variant). Intervals cover the choice of items only.")]
    found = [_of_seeds(group, measure) for measure in measures for group in groups if _is_of(group, measure)]
    alone = [name for name in fitted if name not in several]
    if alone:
        found.append(Statement(f"Training seeds: not measured for {named(alone, MOST_VARIANTS)} (one seed)."))
    return found


def _is_of(group: SeedGroup, measure: Measure) -> bool:
    alike = (group.profile, group.metric, group.source, group.higher_is_better)
    return any(alike == (a.profile, a.metric, a.source, a.higher_is_better) for a in measure.targets.values())


def _of_seeds(group: SeedGroup, measure: Measure) -> Statement:
    """`lens: accuracy, mean of 3 seeds +5.1 points, seeds from +4.2 to +6.3, 95% interval of seeds and items [+1.0, +9.2].`"""
    begin = f"{group.setting}: {measure.short}, "
    if group.delta is None or group.least is None or group.most is None:
        return Statement(f"{begin}{len(group.seeds)} seeds: {group.why}.")
    show, unit = measure.difference, measure.metric.unit
    of = f"{group.measured}" if group.measured == len(group.seeds) else f"{group.measured} of {len(group.seeds)}"
    text = (
        f"{begin}mean of {of} seeds {show(group.delta)}{unit.difference}, seeds from {show(group.least)} to {show(group.most)}, "
    )
    if group.delta_low is None or group.delta_high is None:
        return Statement(f"{text}no interval of seeds and items ({group.why}).")
    return Statement(f"{text}95% interval of seeds and items [{show(group.delta_low)}, {show(group.delta_high)}].")


def _judge(run: RunView) -> list[Statement]:
    """Only where a judge was asked."""
    repeats = [cell.repeats for cell in run.results.cells if metric_of(cell).basis is RATINGS and cell.n]
    if not repeats:
        return []
    known = [often for often in repeats if often is not None]
    if len(known) < len(repeats):
        return [Statement("Judge noise: not known (an older version did not say how often it graded).")]
    if min(known) == 1:
        return [Statement("Judge noise: not measured (one grading an answer).")]
    return [Statement(f"Judge noise: {min(known)} gradings an answer; `lensbench calibrate` shows how far they agree.")]


def _script(run: RunView) -> list[Statement]:
    """Answers that the identifier calls another language although every letter is of the asked language's script."""
    own = [one for one in run.results.off_target if one.script_distinguishes and one.off_target_in_script is not None]
    off, inside = sum(one.off_target for one in own), sum(one.off_target_in_script or 0 for one in own)
    if not inside:
        return []
    return [
        Statement(
            f"Identifier: {inside} of {off} answers that it calls another language are wholly in the script of the asked one "
            f"({inside / off:.0%})."
        )
    ]


def _repetitive(run: RunView) -> list[Statement]:
    """Answers that count as in the asked language and say next to nothing."""
    counts = []
    for variant in run.variants:
        if variant in run.results.left_out:
            continue
        own = [one for one in run.results.off_target if one.variant == variant]
        if own:
            counts.append((variant, sum(one.on_target_degenerate for one in own), sum(one.on_target for one in own)))
    if not any(repetitive for _, repetitive, _ in counts):
        return []
    if len(counts) > MOST_VARIANTS + 1:
        # Those with most of them; where there are none, nothing is to be said.
        counts = sorted((one for one in counts if one[1]), key=lambda one: -one[1] / max(one[2], 1))
    said = named([f"{variant} {repetitive} of {answers}" for variant, repetitive, answers in counts], MOST_VARIANTS + 1)
    return [Statement(f"Answers in the asked language that mostly repeat themselves: {said}.")]
