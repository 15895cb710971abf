"""What makes numbers of a run void, or keeps them from being asked at all: it stands above the answer."""

from __future__ import annotations

from collections.abc import Sequence

from lensbench.metrics import metric_of
from lensbench.numbers.headline import table_cells
from lensbench.numbers.one_sided import ONE_OPTION, option_name
from lensbench.records import TaskKey
from lensbench.reporting.answer.measure import measures_of
from lensbench.reporting.answer.rows import MOST_VARIANTS
from lensbench.reporting.answer.statement import Statement
from lensbench.reporting.names import named
from lensbench.reporting.run_view import RunView
from lensbench.spec import BASE

__all__ = ["voids_of"]

_REPETITIVE = 0.1
"""Share of the answers in the asked language from which on those that repeat themselves are named."""
_NAMED = 5
"""Damaged lines that are named."""
_MENTIONED = 2
"""Variants of which the same is true that are named; names of settings are long."""
_ALONE = 3
"""So many variants have a sentence each, though the same is true of them."""
_FEW = 10
"""An endpoint of fewer scores says next to nothing."""


def voids_of(run: RunView) -> list[Statement]:
    """Warnings, the most important first."""
    found = _together([Statement(f"could not be fitted: {why}", name, "warning") for name, why in run.results.failed.items()])
    found += _nothing_to_compare(run)
    if not run.finished:
        found.append(Statement("The run is not finished: the numbers are of the part that is.", tone="warning"))
    for harm in run.results.damaged:
        if harm.skipped:
            lines = "1 damaged line" if len(harm.skipped) == 1 else f"{len(harm.skipped)} damaged lines"
            named = ", ".join(map(str, harm.skipped[:_NAMED])) + (" and more" if len(harm.skipped) > _NAMED else "")
            found.append(Statement(f"items/{harm.file}: {lines} left out ({named}).", tone="warning"))
    return [*found, *_together(_one_option(run)), *_repetitive(run), *_without_score(run), *_rows(run)]


def _together(found: Sequence[Statement]) -> list[Statement]:
    """One sentence for many variants of which the same is true."""
    alike: dict[tuple[str, tuple[str, ...]], list[Statement]] = {}
    for one in found:
        alike.setdefault((one.text, one.cells), []).append(one)
    told: list[Statement] = []
    for (text, cells), own in alike.items():
        if len(own) <= _ALONE:
            told += own
        else:
            names = named([str(one.variant) for one in own], _MENTIONED)
            told.append(Statement(f"{names}: each {text}", tone="warning", cells=cells))
    return told


def _nothing_to_compare(run: RunView) -> list[Statement]:
    results = run.results
    enhanced = [name for name in results.variants if name != BASE]
    found = []
    if not enhanced:
        found.append(Statement(f"Only {BASE} was evaluated, so there is nothing to compare.", tone="warning"))
    elif BASE not in results.variants:
        found.append(Statement(f"The run has no {BASE}, so no variant is compared with it.", tone="warning"))
    if not any(cell.value is not None for cell in results.cells):
        found.append(Statement("Nothing has a score.", tone="warning"))
    elif enhanced and not any(average.role != "exploratory" for average in results.averages):
        found.append(
            Statement("An older version made these numbers: they have no endpoints, and no verdict is given.", tone="warning")
        )
    return [*found, *_few_scores(run)]


def _few_scores(run: RunView) -> list[Statement]:
    """Endpoints of next to no scores; variants with the same number of them stand in one sentence."""
    few: dict[tuple[str, int, tuple[str, ...]], list[str]] = {}
    for measure in measures_of(run.results):
        for variant, average in measure.targets.items():
            if variant != BASE and 0 < average.n < _FEW:
                few.setdefault((measure.short, average.n, average.cells), []).append(variant)
    return [
        Statement(
            f"The {short} over the targets rests on {n} score{'' if n == 1 else 's'}: {named(names, MOST_VARIANTS)}.",
            tone="warning",
            cells=cells,
        )
        for (short, n, cells), names in few.items()
    ]


def _one_option(run: RunView) -> list[Statement]:
    """Variants that pick one option in nearly all items: their accuracy says how often that option is right."""
    places: dict[tuple[str, int], list[TaskKey]] = {}
    for cell in run.results.cells:
        option = cell.one_option
        if option is not None and metric_of(cell).by_likeliest and cell.variant not in run.results.left_out:
            keys = places.setdefault((cell.variant, option), [])
            if cell.key not in keys:
                keys.append(cell.key)
    return [
        Statement(
            f"picks {option_name(option)} in at least {ONE_OPTION:.0%} of the items, so its accuracy is void: {_listed(keys)}",
            variant,
            "warning",
            tuple(map(str, keys)),
        )
        for (variant, option), keys in places.items()
    ]


def _repetitive(run: RunView) -> list[Statement]:
    """Variants whose answers in the asked language are, for a good part, repetitive nonsense."""
    found: list[Statement] = []
    for variant in run.variants:
        if variant in run.results.left_out:
            continue
        own = [one for one in run.results.off_target if one.variant == variant]
        graders = dict.fromkeys(one.identifier for one in own)
        for grader in graders:
            counted = [one for one in own if one.identifier == grader]
            on_target, repetitive = sum(one.on_target for one in counted), sum(one.on_target_degenerate for one in counted)
            if on_target and repetitive >= _REPETITIVE * on_target:
                places = tuple(dict.fromkeys(str(TaskKey(one.task, one.language)) for one in counted if one.on_target_degenerate))
                text = f"{repetitive} of its {on_target} answers in the asked language mostly repeat themselves."
                found.append(Statement(text, variant, "warning", places))
    names = list(dict.fromkeys(str(one.variant) for one in found))
    if len(names) <= MOST_VARIANTS:
        return found
    of = f"{_REPETITIVE:.0%} or more of the answers in the asked language"
    text = f"{named(names, _MENTIONED)}: of each, {of} mostly repeat themselves."
    return [Statement(text, tone="warning", cells=tuple(dict.fromkeys(place for one in found for place in one.cells)))]


def _without_score(run: RunView) -> list[Statement]:
    """Tasks in which nothing has a score."""
    scored = {cell.key for cell in run.results.cells if cell.value is not None}
    empty = [cell.key for cell in table_cells(run.results.cells) if cell.key not in scored]
    unasked = [key for key in run.results.tasks if key not in scored and key not in empty]
    keys = list(dict.fromkeys([*empty, *unasked]))
    if not keys or not scored:
        return []
    return [Statement(f"No score: {_listed(keys)}.", tone="warning", cells=tuple(map(str, keys)))]


def _rows(run: RunView) -> list[Statement]:
    """Rows that are not what they stand for."""
    warnings: dict[str, list[TaskKey]] = {}
    for key, facts in run.results.tasks.items():
        if facts.origin is not None and facts.origin.warning:
            warnings.setdefault(facts.origin.warning, []).append(key)
    return [
        Statement(f"Rows of {_listed(keys)}: {what}", tone="warning", cells=tuple(map(str, keys)))
        for what, keys in warnings.items()
    ]


def _listed(keys: list[TaskKey], most: int = 4) -> str:
    named = ", ".join(map(str, keys[:most]))
    return named + (f" and {len(keys) - most} more" if len(keys) > most else "")
