"""What a figure of bars shows, before it is drawn: the cells of one or several runs, panel by panel."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from lensbench.errors import UsageError, unknown_name
from lensbench.languages import languages
from lensbench.metrics import UNITS, Metric, Unit, metric_of
from lensbench.numbers.average import Average
from lensbench.numbers.cell import Cell
from lensbench.numbers.headline import headline_of
from lensbench.records import TaskKey
from lensbench.reporting.blocks import Block, BlockCell, blocks_of
from lensbench.reporting.columns import Column, columns_of
from lensbench.reporting.run_view import RunView
from lensbench.spec import BASE

__all__ = [
    "Choice",
    "Kind",
    "Panel",
    "Series",
    "blocks_for",
    "by_language",
    "by_task",
    "chance_at",
    "mean_blocks",
    "names_of",
    "series_of",
]

Kind = Literal["generation", "understanding"]


@dataclass(frozen=True)
class Choice:
    """What of the runs a figure is to show; empty means all."""

    tasks: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()


@dataclass(frozen=True)
class Series:
    """One variant of one run.

    Attributes:
        column: Its number among the columns of all runs.
        look: Number of its look; 0 is the untouched backbone's.
    """

    column: int
    label: str
    look: int


@dataclass
class Panel:
    """One pair of axes.

    Attributes:
        places: Keys of the places along x, in order: codes of languages, or `task/metric`.
        names: Text for each place that is no language.
        cells: (number of the series' column, place) -> the number there.
    """

    title: str
    unit: Unit
    quantity: str
    places: list[str]
    series: list[Series]
    cells: dict[tuple[int, str], BlockCell]
    names: dict[str, str] = field(default_factory=dict)
    note: str = ""


def chance_at(panel: Panel, place: str) -> float | None:
    """Score of a blind guess at a place; None where none is known, or its series differ in it."""
    columns = {series.column for series in panel.series}
    cells = [cell.number for (column, own), cell in panel.cells.items() if own == place and column in columns]
    found = {number.chance if isinstance(number, Cell) else None for number in cells}
    return found.pop() if len(found) == 1 else None


def blocks_for(runs: Sequence[RunView], kinds: Sequence[Kind], choice: Choice) -> tuple[list[Block], list[Column]]:
    """Tables of the chosen kinds, and the columns they refer to.

    Raises:
        UsageError: the runs have nothing of the kind, or not what was chosen; names the nearest.
    """
    columns = columns_of(runs)
    blocks = [b for b in blocks_of(runs, columns) if _kind(b) in kinds]
    if not blocks:
        raise UsageError(
            f"no {' and no '.join(kinds)} in {', '.join(str(run.folder.path) for run in runs)}",
            "Closed tasks are understanding; rated answers, or answers whose language was identified, are generation.",
        )
    _check("task", choice.tasks, {b.task for b in blocks})
    _check("metric", choice.metrics, {b.metric.name for b in blocks})
    _check("language", choice.languages, {code for b in blocks for code in b.languages})
    _check("variant", choice.variants, {c.variant for c in columns} | {c.label for c in columns})
    wanted = [b for b in blocks if (b.task in choice.tasks or not choice.tasks) and b.metric.name in _metrics(b, blocks, choice)]
    if not wanted:
        raise UsageError(f"no chosen task has {' or '.join(choice.metrics)}", "Choose another ``metric``.")
    return wanted, columns


def by_language(runs: Sequence[RunView], kind: Kind, choice: Choice) -> list[Panel]:
    """A panel for each task and metric, languages along x."""
    blocks, columns = blocks_for(runs, (kind,), choice)
    if kind == "understanding" and not choice.tasks and not choice.metrics:
        blocks = [*blocks, *mean_blocks(runs, columns)]
    series = series_of(runs, blocks, columns, choice)
    panels = []
    for block in blocks:
        places = _languages(block.languages, choice)
        own = [s for s in series if any((s.column, code) in block.cells for code in places)]
        if own:
            title, quantity = names_of(block)
            panels.append(Panel(title, block.metric.unit, quantity, places, own, block.cells, note=block.note))
    return panels


def mean_blocks(runs: Sequence[RunView], columns: Sequence[Column]) -> list[Block]:
    """The averages over the closed tasks of a language, as the run has them, where there are several tasks.

    Runs whose averages are of unlike tasks, rows or protocols stand in blocks of their own.
    """
    place = {(column.run, column.variant): number for number, column in enumerate(columns)}
    found: dict[_MeanKey, Block] = {}
    for number, run in enumerate(runs):
        averages = [a for a in run.results.averages if a.over == "tasks" and len(a.cells) > 1 and not a.source]
        cells = {(str(cell.key), cell.variant, cell.metric): cell for cell in run.results.cells if not cell.source}
        asked = {str(key): (str(facts.protocol), facts.rows_digest) for key, facts in run.results.tasks.items()}
        own = {
            (a.language, a.higher_is_better): tuple((name, asked[name]) for name in a.cells if name in asked) for a in averages
        }
        for average in averages:
            parts = [cells[part] for name in average.cells if (part := (name, average.variant, average.metric)) in cells]
            if average.value is None or average.language is None or len(parts) < len(average.cells):
                # A variant that lacks one of the tasks has no mean to draw.
                continue
            metric = metric_of(average)
            more = metric.higher_is_better
            asked_alike = tuple(sorted((str(code), of) for (code, way), of in own.items() if way == more))
            key = (average.profile, metric.name, more, asked_alike)
            tasks = dict.fromkeys(TaskKey.parse(name).task for name in average.cells)
            block = found.setdefault(key, Block("mean", f"Mean of {len(tasks)} tasks", average.profile, metric, "mean"))
            column = place[number, average.variant]
            block.cells[column, average.language] = _of_mean(average, parts)
            block.languages = list(dict.fromkeys([*block.languages, average.language]))
            block.columns = list(dict.fromkeys([*block.columns, column]))
    return list(found.values())


_Asked = tuple[tuple[str, tuple[str, str]], ...]
"""`TASK/LANGUAGE` with its protocol and rows."""
_MeanKey = tuple[str, str, bool | None, tuple[tuple[str, _Asked], ...]]


def _of_mean(average: Average, parts: Sequence[Cell]) -> BlockCell:
    """An average, with the items asked, planned and without a score in its cells together."""
    states: Counter[str] = Counter()
    for part in parts:
        states.update(part.states)
    failures = [part.failures for part in parts if part.failures is not None]
    return BlockCell(
        average,
        sum(part.n for part in parts),
        sum(part.planned for part in parts),
        sum(failures) if len(failures) == len(parts) else None,
        states,
    )


def by_task(runs: Sequence[RunView], choice: Choice) -> list[Panel]:
    """A panel for each language and unit, tasks along x."""
    blocks, columns = blocks_for(runs, ("understanding", "generation"), choice)
    series = series_of(runs, blocks, columns, choice)
    panels = []
    for code in _languages(list(dict.fromkeys(code for b in blocks for code in b.languages)), choice):
        for unit in UNITS.values():
            cells: dict[tuple[int, str], BlockCell] = {}
            names: dict[str, str] = {}
            for number, block in enumerate(blocks):
                for (column, language), cell in block.cells.items():
                    if language == code and block.metric.unit == unit:
                        place = f"{block.task}/{block.metric.name}/{number}"
                        cells[column, place] = cell
                        plain = block.metric.implied and cell.number.higher_is_better is True
                        names[place] = block.title if plain else f"{block.title}: {block.name}"
            own = [s for s in series if any((s.column, place) in cells for place in names)]
            if own:
                panels.append(Panel(code, unit, unit.axis, list(names), own, cells, names))
    return panels


def series_of(runs: Sequence[RunView], blocks: Sequence[Block], columns: Sequence[Column], choice: Choice) -> list[Series]:
    """The columns to draw. A backbone that several runs asked the same questions with the same outcome is drawn once."""
    used = [number for number in range(len(columns)) if any(number in b.columns for b in blocks)]
    bases: list[int] = []
    kept = []
    for number in used:
        column = columns[number]
        if column.variant == BASE:
            if any(_same_base(runs, columns, blocks, number, other) for other in bases):
                continue
            bases.append(number)
        if not choice.variants or column.variant in (*choice.variants, BASE) or column.label in choice.variants:
            kept.append(number)
    names = [columns[number].variant for number in kept]
    found, enhanced = [], 0
    for number in kept:
        column = columns[number]
        enhanced += column.variant != BASE or number != bases[0]
        look = 0 if bases and number == bases[0] else enhanced
        found.append(Series(number, column.variant if names.count(column.variant) == 1 else column.label, look))
    return found


def _same_base(runs: Sequence[RunView], columns: Sequence[Column], blocks: Sequence[Block], one: int, other: int) -> bool:
    here, there = (runs[columns[number].run].results for number in (one, other))
    if (here.backbone, here.backbone_origin) != (there.backbone, there.backbone_origin):
        return False

    def outcome(number: int) -> dict[tuple[int, str], tuple[float | None, ...]]:
        return {
            (place, code): (cell.number.value, cell.number.low, cell.number.high, cell.n, cell.failures)
            for place, block in enumerate(blocks)
            for (column, code), cell in block.cells.items()
            if column == number
        }

    return outcome(one) == outcome(other)


def _kind(block: Block) -> Kind:
    source = next(iter(block.cells.values())).number.source
    return "generation" if source else "understanding"


def _metrics(block: Block, blocks: Sequence[Block], choice: Choice) -> tuple[str, ...]:
    if choice.metrics:
        return choice.metrics
    if _kind(block) == "generation":
        return (block.metric.name,) if block.metric.headline is not None else ()
    own = {b.metric.name: b.metric for b in blocks if b.task == block.task and b.profile == block.profile}
    return (_headline_name(own.values()),)


def _headline_name(metrics: Iterable[Metric]) -> str:
    found = headline_of(metrics)
    return "" if found is None else found.name


def _languages(codes: Sequence[str], choice: Choice) -> list[str]:
    """In the order of the language table: the central language first."""
    order = {code: place for place, code in enumerate(languages())}
    return sorted(
        (code for code in codes if not choice.languages or code in choice.languages), key=lambda c: (order.get(c, len(order)), c)
    )


def names_of(block: Block) -> tuple[str, str]:
    """Title of the panel and what stands along y."""
    quantity = block.metric.quantity
    if any(cell.number.higher_is_better is False for cell in block.cells.values()):
        quantity += ", lower is better"
    judge = block.name.partition(" · ")[2]
    return f"{block.title} · {judge}" if judge else block.title, quantity


def _check(kind: str, given: Sequence[str], known: Collection[str]) -> None:
    for name in given:
        if name not in known:
            raise unknown_name(kind, name, known)
