"""Variants by languages: for each metric, the mean over the tasks of each language, and over the target languages."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lensbench.errors import UsageError
from lensbench.languages import CENTRAL
from lensbench.metrics import Metric, metric_of
from lensbench.numbers.cell import Cell
from lensbench.numbers.headline import headline_of
from lensbench.papers import Published
from lensbench.reporting.run_view import RunView
from lensbench.reporting.tables.gather import Block, Choice, backbone_title
from lensbench.reporting.tables.layout import Part
from lensbench.reporting.tables.model import Table
from lensbench.reporting.tables.schema import AveragesTable, Measure, ScoreTable
from lensbench.reporting.tables.scores import score_table
from lensbench.reporting.tables.table_columns import TableColumn, code_in_print

__all__ = ["averages_table"]

_MEAN = "mean"


@dataclass(frozen=True)
class _Averaged:
    """What is averaged together: one metric under one profile."""

    metric: Metric
    profile: str


def averages_table(
    spec: AveragesTable,
    runs: Sequence[RunView],
    choice: Choice,
    published: Sequence[Published] = (),
    paper_backbone: str | None = None,
) -> Table:
    """The table of averages.

    Raises:
        UsageError: no run has a metric that is averaged; or see `gather`.
    """
    measures = _measures(spec, runs, choice)
    if not any(measures.values()):
        raise UsageError(
            f"{', '.join(run.name for run in runs)}: no number of the table '{spec.table}'",
            f"It shows the main metric of each task, made from {', '.join(spec.blocks)}.",
        )
    scores = ScoreTable(
        table=spec.table,
        title=spec.title,
        about=spec.about,
        like=spec.like,
        rows=spec.rows,
        published=spec.published,
        kind="scores",
        setting="any",
        columns="measures",
        measures=tuple(measure for own in measures.values() for measure in own),
        emphasis=spec.emphasis,
        digits=spec.digits,
    )

    def layout(_: ScoreTable, block: Block, shown: Sequence[Measure]) -> list[Part]:
        ids = {measure.id for measure in shown}
        kept = {what: [m for m in own if m.id in ids] for what, own in measures.items()}
        return list(_parts(spec, block, {what: own for what, own in kept.items() if own}))

    return score_table(scores, runs, choice, published, paper_backbone, layout=layout)


def _measures(spec: AveragesTable, runs: Sequence[RunView], choice: Choice) -> dict[_Averaged, list[Measure]]:
    """The measures of all runs, by what is averaged together and in the order of the sections."""
    found: dict[_Averaged, dict[str, Measure]] = defaultdict(dict)
    cells = [(run, cell) for run in runs for cell in _headline_cells(run)]
    profiles = {run.profile_of(cell) for run, cell in cells}
    # An unknown profile is refused where the runs are gathered, which names those that there are.
    wanted = {choice.profile} & profiles or profiles
    for run, cell in cells:
        metric, profile = metric_of(cell), run.profile_of(cell)
        if metric.basis.name not in spec.blocks or metric.corpus is not None or profile not in wanted:
            continue
        what = _Averaged(metric, profile)
        name = "|".join((cell.task, cell.metric, profile))
        found[what][name] = Measure(
            id=name, title=run.results.task_of(cell).title, task=cell.task, metric=cell.metric, profiles=(profile,), optional=True
        )
    order = sorted(found, key=lambda what: spec.blocks.index(what.metric.basis.name))
    return {what: list(found[what].values()) for what in order}


def _headline_cells(run: RunView) -> list[Cell]:
    """The cells that are their task's own number; only these are averaged."""
    metrics: dict[tuple[str, ...], dict[str, Metric]] = defaultdict(dict)
    for cell in run.results.cells:
        metrics[_same_task(cell)][cell.metric] = metric_of(cell)
    own = {key: headline_of(known.values()) for key, known in metrics.items()}
    return [cell for cell in run.results.cells if (first := own[_same_task(cell)]) is not None and first.name == cell.metric]


def _same_task(cell: Cell) -> tuple[str, ...]:
    return cell.task, cell.language, cell.profile, cell.source, cell.unit


def _parts(spec: AveragesTable, block: Block, measures: dict[_Averaged, list[Measure]]) -> Iterator[Part]:
    backbone = backbone_title(block.runs[0].results.backbone)
    for what, own in measures.items():
        basis = what.metric.basis.name
        name = next((title for key, title in spec.titles.items() if key == basis), "") or _capital(
            what.metric.short or what.metric.title
        )
        told = [name]
        alike = [other for other in measures if other.metric.name == what.metric.name]
        told += [f"profile {what.profile}"] if len(alike) > 1 else []
        columns, remarks = _columns(spec, block, name, own)
        if not what.metric.implied:
            remarks.append(f"{name}: {what.metric.title}.")
        yield Part(f"{', '.join(told)}, {backbone}{block.apart}", columns, remarks=remarks)


def _columns(spec: AveragesTable, block: Block, name: str, measures: Sequence[Measure]) -> tuple[list[TableColumn], list[str]]:
    """A column for each target language, for their mean, and for English; and which languages have one task alone."""
    places = {
        code: tuple((measure.id, code) for measure in measures if (measure.id, code) in block.asked)
        for code in (*block.targets, CENTRAL)
    }
    titles = {measure.id: measure.title for measure in measures}
    columns, alone = [], []
    for code, own in places.items():
        if code == CENTRAL and len(block.targets) > 1:
            over = tuple(place for target in block.targets for place in places[target])
            if len({language for _, language in over}) > 1:
                columns.append(TableColumn(spec.targets, name, "", over, _MEAN))
        if own:
            columns.append(TableColumn(code_in_print(code), name, code, own, _MEAN if len(own) > 1 else "", averaged=True))
        if len(own) == 1 and len(measures) > 1:
            alone.append(f"{code_in_print(code)}: {titles[own[0][0]]} alone, which is no mean.")
    return columns, alone


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
