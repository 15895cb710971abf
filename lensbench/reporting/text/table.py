"""The one table of a run, as rows of text that the terminal and the report share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lensbench.metrics import LANGUAGES, RATINGS, metric_of
from lensbench.numbers.cell import Cell
from lensbench.numbers.headline import table_cells
from lensbench.numbers.one_sided import ONE_OPTION, option_name
from lensbench.numbers.run_results import Results
from lensbench.records import Grader, TaskKey
from lensbench.records.missing import MissingRecords
from lensbench.reporting.names import named
from lensbench.reporting.text.cell_text import interval, metric_name, number, p_text
from lensbench.reporting.text.statistics import statistics_notes
from lensbench.states import SCORED, SENTENCES

__all__ = ["Line", "missing_notes", "notes", "table_line", "table_lines", "unscored_notes", "warnings"]


_MOST_NAMES = 12
"""Variants, or cells, that a note names."""


@dataclass(frozen=True)
class Line:
    """One row: a task in a language under a variant."""

    task: str
    language: str
    profile: str
    metric: str
    variant: str
    value: str
    interval: str
    delta: str
    delta_interval: str
    p_value: str
    """Of the cell's own test, not adjusted."""
    n: str
    failures: str
    chance: str
    """Score of a blind guess; "" where there is none."""


def table_lines(results: Results, *, everything: bool = False) -> list[Line]:
    """The table of a run.

    Args:
        everything: Every cell, not only those that `numbers.headline.table_cells` takes.
    """
    return [table_line(results, cell) for cell in (results.cells if everything else table_cells(results.cells))]


def table_line(results: Results, cell: Cell) -> Line:
    """A cell of these results as a row."""
    about = results.task_of(cell)
    title = about.title + (f" ({about.substitute})" if about.substitute else "")
    n = str(cell.n) if cell.n == cell.planned else f"{cell.n} of {cell.planned}"
    failures = "unknown" if cell.failures is None else str(cell.failures)
    if cell.states.get("empty"):
        failures += f" ({cell.states['empty']} empty)"
    return Line(
        title,
        cell.language,
        cell.profile,
        metric_name(cell),
        results.called(cell.variant),
        number(cell, cell.value, missing="no score"),
        interval(cell, cell.low, cell.high),
        number(cell, cell.delta, sign=True),
        interval(cell, cell.delta_low, cell.delta_high, sign=True),
        p_text(cell.p_value),
        n,
        failures,
        number(cell, cell.chance),
    )


def notes(results: Results) -> list[str]:
    """What must stand beside the table: where the rows come from, what is missing, what the numbers are."""
    found = [f"! {name} could not be fitted: {message}" for name, message in results.failed.items()]
    origins = {key: about.origin for key, about in results.tasks.items() if about.origin is not None}
    found += [f"! {warning}" for warning in sorted({f"{o.name}: {o.warning}" for o in origins.values() if o.warning})]
    found += _one_sided(results)
    found += [f"! items/{harm.file}: {_damaged(harm.skipped)}" for harm in results.damaged if harm.skipped]
    found += warnings(results)
    found += [
        f"{key}: {o.rows} rows of the {o.expected_rows} the hub has"
        for key, o in origins.items()
        if o.expected_rows and o.rows != o.expected_rows
    ]
    found += [
        f"{name} is another checkpoint, {about.external}; it is asked through its own chat template"
        for name, about in results.variants.items()
        if about.external
    ]
    found += [f"not available: {gap}" for gap in results.gaps]
    found += _picked(results)
    found += statistics_notes(results)
    identifiers = sorted({_name(c) for c in results.cells if metric_of(c).basis is LANGUAGES})
    if identifiers:
        glotlid = "" if identifiers == ["glotlid"] else " (not GlotLID, so not comparable with the paper)"
        found.append(
            f"Answers in the asked language: top label by {', '.join(identifiers)}{glotlid}, strict, empty answers counted as "
            "unfaithful; it says nothing about whether an answer is good."
        )
    judges = sorted({c.source for c in results.cells if metric_of(c).basis is RATINGS})
    found += [f"Ratings are of judge {judge}; unlike judges are not comparable." for judge in judges]
    return found


def warnings(results: Results) -> list[str]:
    """What a reader must know beside what the answer says first (`reporting.answer.voids`); each sentence begins with `!`."""
    found = [
        f"! {key}: rows are {about.origin.stand_in}"
        for key, about in results.tasks.items()
        if about.origin is not None and about.origin.stand_in
    ]
    found += missing_notes(results.missing)
    found += [f"! {name}: {about.note}" for name, about in results.variants.items() if about.note]
    found += _unscored(results)
    found += _beside_ratings(results)
    cut: dict[str, list[str]] = {}
    for key, about in results.tasks.items():
        if about.max_new_tokens:
            cut.setdefault(f"after {about.max_new_tokens} new tokens", []).append(str(key))
    found += [
        f"! answers were cut {where}, which is not the profile's own length: {', '.join(keys)}" for where, keys in cut.items()
    ]
    uncovered = sorted({f"{c.language} ({_name(c)})" for c in results.cells if c.states.get("not_covered")})
    if uncovered:
        found.append(f"! no fidelity for {', '.join(uncovered)}: the identifier has no label for the language")
    return [*found, *_undirected(results), *_tied(results), *_overlaps(results)]


def _picked(results: Results) -> list[str]:
    """Of which items the numbers are, where others chose a setting."""
    if results.picked is None:
        return []
    note = "The numbers are of the test items. The development items chose the settings and are in none of them."
    left = len(results.left_out)
    return [f"{note} {left} variants that were not chosen are exploratory." if left else note]


def _overlaps(results: Results) -> list[str]:
    """One line for each task in a language and each count; variants that learned from the same rows stand in one line."""
    learned: dict[str, list[str]] = {}
    for o in results.overlap:
        if o.sharing:
            what = f"! {TaskKey(o.task, o.language)}: {o.sharing} of {o.items} items share a word sequence with what"
            learned.setdefault(what, []).append(o.learner)
    return [f"{what} {named(names, _MOST_NAMES)} learned from" for what, names in learned.items()]


def _name(cell: Cell) -> str:
    """Name of the identifier or judge of a cell."""
    grader = Grader.of_cell(cell.source, cell.unit)
    return grader.name if grader else ""


def missing_notes(missing: Sequence[MissingRecords], most: int = 4) -> list[str]:
    """One sentence for every file that has fewer records than it should."""
    groups: dict[tuple[str, str], list[MissingRecords]] = {}
    for entry in missing:
        groups.setdefault((entry.why, entry.file), []).append(entry)
    found = []
    for (why, file), entries in groups.items():
        lacking = sum(entry.wanted - entry.has for entry in entries)
        places = "; ".join(f"{entry.place} {entry.has} of {entry.wanted}" for entry in entries[:most])
        more = f"; and {len(entries) - most} more" if len(entries) > most else ""
        records = f"{lacking} record{'s' if lacking > 1 else ''}"
        if why == "gone":
            found.append(f"! items/{file}: {records} that were there when results were made are gone ({places}{more})")
        else:
            found.append(f"! unfinished: items/{file} lacks {records} of those planned ({places}{more})")
    return found


def _undirected(results: Results) -> list[str]:
    names = sorted({c.metric for c in results.cells if c.verdict is not None and metric_of(c).higher_is_better is None})
    return [f"! nothing tells whether more is better of {', '.join(names)}: no difference of it is called so"] if names else []


def _damaged(numbers: list[int], most: int = 5) -> str:
    """`1 damaged line left out (4)`, `14 damaged lines left out (4, 8, 9, 12, 20 and 9 more)`."""
    named = ", ".join(map(str, numbers[:most]))
    more = f" and {len(numbers) - most} more" if len(numbers) > most else ""
    return f"{len(numbers)} damaged line{'s' if len(numbers) > 1 else ''} left out ({named}{more})"


def unscored_notes(cells: Sequence[Cell]) -> list[str]:
    """How many items have no score, by state, and what the state means."""
    places: dict[str, list[str]] = {}
    for cell in table_cells(cells):
        for state, n in cell.states.items():
            # Languages that an identifier has no label for have a note of their own.
            if n and metric_of(cell).basis is not RATINGS and state not in SCORED and state != "not_covered":
                where = f"{cell.key} {cell.variant}"
                places.setdefault(state, []).append(f"{n} of {cell.n} in {where}")
    return [
        f"! no score and in no mean, {state.replace('_', ' ')}: {SENTENCES.get(state, 'this version does not know the state')}: "
        + "; ".join(dict.fromkeys(where[:_MOST_NAMES]))
        + (f" and {len(where) - _MOST_NAMES} more cells" if len(where) > _MOST_NAMES else "")
        for state, where in places.items()
    ]


def _unscored(results: Results) -> list[str]:
    """How many items have no score, how many gradings no rating, and why."""
    found = unscored_notes(results.cells)
    for cell in results.cells:
        metric = metric_of(cell)
        if metric.basis is RATINGS and metric.headline is not None and cell.failures:
            why = ", ".join(f"{n} {state.replace('_', ' ')}" for state, n in sorted(cell.states.items()) if state != "ok")
            found.append(
                f"! {cell.key} {cell.variant}: {cell.failures} of {cell.n} gradings by "
                f"{_name(cell)} have no rating and are in no mean ({why})"
            )
    return found


def _beside_ratings(results: Results) -> list[str]:
    """Answers that speak to their judge, and replies of another model than the one asked."""
    found = []
    for entry in results.judging:
        judge = entry.grader.name
        place = f"! {TaskKey(entry.task, entry.language)} {entry.variant}"
        if entry.injected:
            found.append(
                f"{place}: {entry.injected} of {entry.graded} rated answers speak to their judge ({judge}): they hold a "
                "rating, say what to rate, or imitate its prompt; read them"
            )
        found += [
            f"{place}: {n} replies of {judge} name another model than was asked for, {model}"
            for model, n in entry.other_models.items()
        ]
    return found


def _tied(results: Results) -> list[str]:
    """Cells with items that rounding could decide."""
    places = [f"{cell.tied} of {cell.n} in {cell.key} {cell.variant}" for cell in results.cells if cell.tied]
    return [f"! items that rounding could decide; they count as they fell: {'; '.join(places)}"] if places else []


def _one_sided(results: Results) -> list[str]:
    """Cells in which a variant gives nearly always the same option: their accuracy measures that option."""
    found: dict[str, list[str]] = {}
    for cell in results.cells:
        place = cell.one_option
        if place is not None:
            found.setdefault(f"{cell.variant} picks {option_name(place)}", []).append(str(cell.key))
    if not found:
        return []
    places = "; ".join(f"{what} ({', '.join(where)})" for what, where in found.items())
    return [
        f"! one option in at least {ONE_OPTION:.0%} of the items, so accuracy is little more than how often it is right: {places}"
    ]
