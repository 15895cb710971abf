"""The columns of a score table, and the number that each row has in each of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from lensbench.languages import CENTRAL, languages
from lensbench.metrics import SHARE, Unit, get_metric, metric_of
from lensbench.numbers.average import Average
from lensbench.numbers.cell import Cell
from lensbench.numbers.verdict import Verdict
from lensbench.reporting.run_view import RunView
from lensbench.reporting.tables.gather import Block, Entry, Place, RunCell, measure_languages
from lensbench.reporting.tables.numbers import states_text
from lensbench.reporting.tables.schema import Measure, ScoreTable

__all__ = ["Number", "TableColumn", "code_in_print", "number_of", "table_columns"]


@dataclass(frozen=True)
class TableColumn:
    """One column: a measure in a language, or a mean over places.

    Attributes:
        places: One for a measure; those that are averaged for a mean.
        mean: Id of the mean, else "".
        averaged: Whether it belongs to a table of averages: of one place, the run's average is shown where there is one, since it
            has the verdict that the cell lacks.
    """

    title: str
    group: str
    language: str
    places: tuple[Place, ...]
    mean: str = ""
    averaged: bool = False

    @property
    def name(self) -> str:
        return f"{self.group} {self.title}".strip()


@dataclass(frozen=True)
class Number:
    """What stands in a field, or why nothing does.

    Attributes:
        why: Why there is no value; "" where there is one.
        states: Items without a score, in words; "" where all have one.
        higher_is_better: As the run says; None where nothing does.
        signature: Of the cell or average; "" for a mean that the run does not have.
    """

    why: str = ""
    unit: Unit = SHARE
    value: float | None = None
    low: float | None = None
    high: float | None = None
    delta: float | None = None
    delta_low: float | None = None
    delta_high: float | None = None
    p_holm: float | None = None
    verdict: Verdict | None = None
    smallest_detectable: float | None = None
    n: int | None = None
    planned: int | None = None
    failures: int | None = None
    states: str = ""
    signature: str = ""
    higher_is_better: bool | None = True
    leads: tuple[str, ...] = ()
    """As of a cell or an average: among which variants of its own run a test tells it from the second best."""
    cells: tuple[RunCell, ...] = field(default=(), repr=False)


def code_in_print(code: str) -> str:
    """`Zh`, as the papers' tables have it; `Ja` for Japanese, whatever others print."""
    return code.capitalize() if code in languages() else code


def table_columns(spec: ScoreTable, block: Block, measures: Sequence[Measure], means: bool = True) -> list[TableColumn]:
    """All columns of a block, for these measures."""
    columns: list[TableColumn] = []
    for measure in measures:
        codes = measure_languages(measure, block.targets)
        columns += [TableColumn(code_in_print(code), measure.title, code, ((measure.id, code),)) for code in codes]
        for mean in spec.averages if means else ():
            if mean.over and mean.after == measure.id:
                columns += [_over_tasks(spec, block, mean.id, mean.title, mean.over, code) for code in (CENTRAL, *block.targets)]
            elif not mean.over and len(block.targets) > 1:
                places = tuple((measure.id, code) for code in block.targets if code in codes)
                columns.append(TableColumn(mean.title, measure.title, "", places, mean.id))
    return columns


def _over_tasks(spec: ScoreTable, block: Block, name: str, title: str, over: Sequence[str], code: str) -> TableColumn:
    """Over the measures that are asked in the language; XCOPA, say, does not exist in every one."""
    by_id = {measure.id: measure for measure in spec.measures}
    places = tuple(
        (key, code) for key in over if (key, code) in block.asked and code in measure_languages(by_id[key], block.targets)
    )
    return TableColumn(code_in_print(code), title, code, places, name)


def number_of(spec: ScoreTable, entry: Entry, column: TableColumn) -> Number:
    """The number of a row in a column."""
    if entry.failed is not None:
        return Number(why=f"{entry.variant} could not be fitted: {entry.failed}")
    by_id = {measure.id: measure for measure in spec.measures}
    if column.mean:
        return _mean(entry, column, by_id)
    key, code = column.places[0]
    if column.places[0] not in entry.cells:
        return Number(why=_why_missing(entry.run, by_id[key], code))
    run, cell = entry.cells[column.places[0]]
    metric, unscored = metric_of(cell), states_text(cell.states)
    why = (
        ""
        if cell.value is not None
        else f"{by_id[key].title} {code_in_print(code)}: nothing has a score ({unscored or 'no items'})"
    )
    found = _recorded(entry, ((run, cell),)) if column.averaged else None
    return replace(
        _as_recorded(found or cell),
        why=why,
        unit=metric.unit,
        n=cell.n,
        planned=cell.planned,
        failures=cell.failures,
        states=unscored,
        higher_is_better=metric.higher_is_better,
        cells=((run, cell),),
    )


def _as_recorded(found: Cell | Average) -> Number:
    """The numbers of a cell or an average as they stand there."""
    return Number(
        value=found.value,
        low=found.low,
        high=found.high,
        delta=found.delta,
        delta_low=found.delta_low,
        delta_high=found.delta_high,
        p_holm=found.p_holm if isinstance(found, Average) else None,
        verdict=found.verdict,
        smallest_detectable=found.smallest_detectable,
        n=found.n,
        signature=found.signature,
        leads=found.leads,
    )


def _why_missing(run: RunView, measure: Measure, code: str) -> str:
    facts, where = run.task(measure.task, code), f"{measure.title} {code_in_print(code)}"
    if facts is None:
        gap = run.gap(measure.task, code)
        return f"{where}: {gap}" if gap else "not asked in this run"
    if (facts.stands_for or facts.profile) not in measure.profiles:
        return f"{where}: asked under profile {facts.profile}, which does not belong here"
    return get_metric(measure.metric).basis.missing


def _mean(entry: Entry, column: TableColumn, measures: Mapping[str, Measure]) -> Number:
    """As the run has it, with its interval; else the plain mean of the cells, without one."""
    if len(column.places) < 2:
        only = ", ".join(f"{measures[key].title} {code_in_print(code)}" for key, code in column.places)
        return Number(why=f"nothing to average over: {'only ' + only if only else 'no task'} is asked")
    lacking = [
        f"{measures[key].title} {code_in_print(code)}"
        for key, code in column.places
        if (key, code) not in entry.cells or entry.cells[key, code][1].value is None
    ]
    if lacking:
        return Number(why=f"{column.name}: lacks {', '.join(lacking)}")
    cells = tuple(entry.cells[place] for place in column.places)
    profiles = {cell.profile for _, cell in cells}
    if len(profiles) > 1:
        return Number(why=f"{column.name}: of unlike profiles ({', '.join(sorted(profiles))})")
    metric = metric_of(cells[0][1])
    unit, more = metric.unit, metric.higher_is_better
    if any(metric_of(cell).higher_is_better != more for _, cell in cells):
        return Number(why=f"{column.name}: of metrics of which some are better high and some low")
    recorded = _recorded(entry, cells)
    if recorded is not None:
        return replace(_as_recorded(recorded), unit=unit, higher_is_better=more, cells=cells)
    return Number(
        "",
        unit,
        value=_plain_mean([(cell.language, cell.value) for _, cell in cells]),
        delta=_plain_mean([(cell.language, cell.delta) for _, cell in cells]),
        higher_is_better=more,
        cells=cells,
    )


def _plain_mean(values: Sequence[tuple[str, float | None]]) -> float | None:
    """Each language counts alike, and within it each task; None where one is missing."""
    by_language: dict[str, list[float]] = {}
    for language, value in values:
        if value is None:
            return None
        by_language.setdefault(language, []).append(value)
    return sum(sum(own) / len(own) for own in by_language.values()) / len(by_language)


def _recorded(entry: Entry, cells: Sequence[RunCell]) -> Average | None:
    """The run's own average of exactly these cells."""
    first_run, first = cells[0]
    wanted = {str(cell.key) for _, cell in cells}
    if any(run is not first_run for run, _ in cells):
        return None
    same = (first.metric, first.profile, first.source)
    for average in first_run.averages_of.get(first.variant, ()):
        if (
            set(average.cells) == wanted
            and (average.metric, average.profile, average.source) == same
            and average.value is not None
        ):
            return average
    return None
