"""The columns of a score table, and the number that each row has in each of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lensbench.languages import CENTRAL, languages
from lensbench.metrics import SHARE, Unit, get_metric, metric_of
from lensbench.records import TaskKey
from lensbench.reporting.tables.gather import Block, Entry, Place, measure_languages
from lensbench.reporting.tables.numbers import states_text
from lensbench.reporting.tables.runs import TableRun
from lensbench.reporting.tables.schema import Measure, ScoreTable

__all__ = ["Number", "Slot", "code_in_print", "number_of", "slots_of"]


@dataclass(frozen=True)
class Slot:
    """One column: a measure in a language, or a mean over places.

    Attributes:
        places: One for a measure; those that are averaged for a mean.
        mean: Id of the mean, else "".
    """

    title: str
    group: str
    language: str
    places: tuple[Place, ...]
    mean: str = ""

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
    verdict: str | None = None
    smallest_detectable: float | None = None
    n: int | None = None
    planned: int | None = None
    failures: int | None = None
    states: str = ""
    signature: str = ""
    higher_is_better: bool | None = True
    cells: tuple[tuple[TableRun, Mapping[str, Any]], ...] = field(default=(), repr=False)


def code_in_print(code: str) -> str:
    """`Zh`, as the papers' tables have it; `Ja` for Japanese, whatever others print."""
    return code.capitalize() if code in languages() else code


def slots_of(spec: ScoreTable, block: Block, measures: Sequence[Measure], means: bool = True) -> list[Slot]:
    """All columns of a block, for these measures."""
    slots: list[Slot] = []
    for measure in measures:
        codes = measure_languages(measure, block.targets)
        slots += [Slot(code_in_print(code), measure.title, code, ((measure.id, code),)) for code in codes]
        for mean in spec.averages if means else ():
            if mean.over and mean.after == measure.id:
                slots += [_over_tasks(spec, block, mean.id, mean.title, mean.over, code) for code in (CENTRAL, *block.targets)]
            elif not mean.over and len(block.targets) > 1:
                places = tuple((measure.id, code) for code in block.targets if code in codes)
                slots.append(Slot(mean.title, measure.title, "", places, mean.id))
    return slots


def _over_tasks(spec: ScoreTable, block: Block, name: str, title: str, over: Sequence[str], code: str) -> Slot:
    """Over the measures that are asked in the language; XCOPA, say, does not exist in every one."""
    by_id = {measure.id: measure for measure in spec.measures}
    places = tuple(
        (key, code) for key in over if (key, code) in block.asked and code in measure_languages(by_id[key], block.targets)
    )
    return Slot(code_in_print(code), title, code, places, name)


def number_of(spec: ScoreTable, entry: Entry, slot: Slot) -> Number:
    """The number of a row in a column."""
    if entry.failed is not None:
        return Number(why=f"{entry.variant} could not be fitted: {entry.failed}")
    by_id = {measure.id: measure for measure in spec.measures}
    if slot.mean:
        return _mean(entry, slot, by_id)
    key, code = slot.places[0]
    if slot.places[0] not in entry.cells:
        return Number(why=_why_missing(entry.run, by_id[key], code))
    run, cell = entry.cells[slot.places[0]]
    value, metric = cell["value"], metric_of(cell)
    unscored = states_text(cell.get("states") or {})
    why = "" if value is not None else f"{by_id[key].title} {code_in_print(code)}: nothing has a score ({unscored or 'no items'})"
    return Number(
        why,
        metric.unit,
        **_statistics(cell),
        n=cell["n"],
        planned=cell.get("planned"),
        failures=cell.get("failures"),
        states=unscored,
        signature=str(cell.get("signature") or ""),
        higher_is_better=metric.higher_is_better,
        cells=((run, cell),),
    )


def _statistics(found: Mapping[str, Any]) -> dict[str, Any]:
    names = ("value", "low", "high", "delta", "delta_low", "delta_high", "p_holm", "verdict", "smallest_detectable")
    return {name: found.get(name) for name in names}


def _why_missing(run: TableRun, measure: Measure, code: str) -> str:
    about, where = run.about(measure.task, code), f"{measure.title} {code_in_print(code)}"
    if about is None:
        gap = run.gap(measure.task, code)
        return f"{where}: {gap}" if gap else "not asked in this run"
    if (about.get("stands_for") or about.get("profile")) not in measure.profiles:
        return f"{where}: asked under profile {about.get('profile')}, which does not belong here"
    return get_metric(measure.metric).basis.missing


def _mean(entry: Entry, slot: Slot, measures: Mapping[str, Measure]) -> Number:
    """As the run has it, with its interval; else the plain mean of the cells, without one."""
    if len(slot.places) < 2:
        only = ", ".join(f"{measures[key].title} {code_in_print(code)}" for key, code in slot.places)
        return Number(why=f"nothing to average over: {'only ' + only if only else 'no task'} is asked")
    lacking = [
        f"{measures[key].title} {code_in_print(code)}"
        for key, code in slot.places
        if (key, code) not in entry.cells or entry.cells[key, code][1]["value"] is None
    ]
    if lacking:
        return Number(why=f"{slot.name}: lacks {', '.join(lacking)}")
    cells = tuple(entry.cells[place] for place in slot.places)
    profiles = {cell["profile"] for _, cell in cells}
    if len(profiles) > 1:
        return Number(why=f"{slot.name}: of unlike profiles ({', '.join(sorted(profiles))})")
    metric = metric_of(cells[0][1])
    unit, more = metric.unit, metric.higher_is_better
    if any(metric_of(cell).higher_is_better != more for _, cell in cells):
        return Number(why=f"{slot.name}: of metrics of which some are better high and some low")
    recorded = _recorded(entry, cells)
    if recorded is not None:
        return Number(
            "",
            unit,
            **_statistics(recorded),
            n=recorded.get("n"),
            signature=str(recorded.get("signature") or ""),
            higher_is_better=more,
            cells=cells,
        )
    deltas = [cell["delta"] for _, cell in cells if cell.get("delta") is not None]
    return Number(
        "",
        unit,
        value=sum(cell["value"] for _, cell in cells) / len(cells),
        delta=sum(deltas) / len(cells) if len(deltas) == len(cells) else None,
        higher_is_better=more,
        cells=cells,
    )


def _recorded(entry: Entry, cells: Sequence[tuple[TableRun, Mapping[str, Any]]]) -> Mapping[str, Any] | None:
    """The run's own average of exactly these cells."""
    first_run, first = cells[0]
    wanted = {str(TaskKey(cell["task"], cell["language"])) for _, cell in cells}
    if any(run is not first_run for run, _ in cells):
        return None
    same = ("variant", "metric", "profile")
    for average in first_run.averages_of.get(str(first["variant"]), ()):
        if (
            set(average.get("cells", ())) == wanted
            and all(average.get(key) == first[key] for key in same)
            and (average.get("source") or "") == (first.get("source") or "")
            and average.get("value") is not None
        ):
            return average
    return None
