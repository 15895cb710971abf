"""Is it real? What the intervals cover, what was not measured, and how small a difference the endpoints can show."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Sequence

from lensbench.metrics import RATINGS, metric_of
from lensbench.reporting.answer.measure import Measure
from lensbench.reporting.answer.statement import Statement
from lensbench.reporting.run_view import RunView
from lensbench.spec import BASE

__all__ = ["is_it_real"]

_WANTED = {True: 0.06, False: 0.5}
"""Difference for which the number of items is named where an endpoint cannot show as little: points of a share, of a rating."""


def is_it_real(run: RunView, measures: Sequence[Measure]) -> list[Statement]:
    """One sentence each on items, seeds, the judge and the identifier."""
    return [*_items(measures), _seeds(run), *_judge(run), *_script(run), *_repetitive(run)]


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


def _seeds(run: RunView) -> Statement:
    seeds: dict[str, set[int | None]] = defaultdict(set)
    for name, facts in run.results.variants.items():
        if name != BASE and facts.method is not None:
            config = {key: value for key, value in run.config(name).items() if key != "seed"}
            seeds[json.dumps([facts.method, config], sort_keys=True, default=str)].add(facts.seed)
    if not seeds:
        return Statement("Training seeds: nothing was fitted.")
    counts = [len(own) for own in seeds.values()]
    if max(counts) == 1:
        return Statement("Training seeds: not measured (one a variant). Intervals cover the choice of items only.")
    return Statement(
        f"Training seeds: {max(counts)} of {sum(count > 1 for count in counts)} settings; each seed is a variant of its own, "
        "and intervals cover the choice of items only."
    )


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
        own = [one for one in run.results.off_target if one.variant == variant]
        if own:
            counts.append((variant, sum(one.on_target_degenerate for one in own), sum(one.on_target for one in own)))
    if not any(repetitive for _, repetitive, _ in counts):
        return []
    said = ", ".join(f"{variant} {repetitive} of {answers}" for variant, repetitive, answers in counts)
    return [Statement(f"Answers in the asked language that mostly repeat themselves: {said}.")]
