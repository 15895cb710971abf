"""The sentences of a score table: what its marks mean, what its averages are of, where its numbers come from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from lensbench.metrics import SHARE, UNITS, metric_of
from lensbench.numbers.cell import Cell
from lensbench.records import TaskKey
from lensbench.reporting.answer.picked import side_counts
from lensbench.reporting.run_view import RunView
from lensbench.reporting.tables.gather import Block
from lensbench.reporting.tables.layout import Part
from lensbench.reporting.tables.schema import ScoreTable
from lensbench.reporting.tables.table_columns import Number, code_in_print
from lensbench.reporting.text.table import notes

__all__ = ["Shown", "caption_of", "legend_of", "provenance_remarks"]


@dataclass(frozen=True)
class Shown:
    """A section with its numbers and their styles, by row and column."""

    part: Part
    numbers: Sequence[Sequence[Number]]
    styles: Sequence[Sequence[str]]


def caption_of(spec: ScoreTable, blocks: Sequence[Block], shown: Sequence[Shown]) -> list[str]:
    """What the table shows, and how to read its marks."""
    said = [spec.about]
    if spec.like:
        said.append(f"After {spec.like}.")
    units = {metric_of(cell).unit for block in blocks for entry in block.entries for _, cell in entry.cells.values()}
    legends = [unit.legend for unit in UNITS.values() if unit.legend and unit in {SHARE, *units}]
    said.append(f"{', '.join(legends).capitalize()}.")
    said += _emphasis(spec, blocks, shown)
    said += _marks(spec, blocks, shown)
    said += _averages(spec, shown)
    return said


def legend_of(spec: ScoreTable, shown: Sequence[Shown]) -> str:
    """The marks in a few words, for a caption in print."""
    marks = [f"{_STYLES[style]}: {what}" for style, what in _styled(spec) if style in _in_use(shown)]
    parts = [f"{', '.join(marks)} of a column (paired test of the two, p below 0.05)"] if marks else []
    numbers = [number for one in shown for row in one.numbers for number in row]
    found = {number.verdict for number in numbers}
    signs = [f"{sign} {verdict}" for verdict, sign in _SIGNS.items() if verdict in found]
    parts += [f"{', '.join(signs)} than base"] if signs else []
    parts += ["–: no number"] if any(number.value is None or number.why for number in numbers) else []
    text = "; ".join(parts)
    return f"{text[:1].upper()}{text[1:]}." if text else ""


_STYLES = {"bold": "bold", "underline": "underlined"}
_SIGNS = {"better": "▲", "worse": "▼"}


def _styled(spec: ScoreTable) -> list[tuple[str, str]]:
    """The styles of the table, and what they stand for."""
    styled = [(spec.emphasis.best, "best"), (spec.emphasis.second, "second best")]
    return [(style, what) for style, what in styled if style != "none"]


def _in_use(shown: Sequence[Shown]) -> set[str]:
    return {style for one in shown for row in one.styles for style in row}


def _emphasis(spec: ScoreTable, blocks: Sequence[Block], shown: Sequence[Shown]) -> list[str]:
    styled = _styled(spec)
    if not styled:
        return []
    names = [_STYLES[style] for style, _ in styled]
    among = "the base included" if spec.emphasis.over == "all" else "among enhanced variants"
    if _in_use(shown) & {style for style, _ in styled}:
        marks = " and ".join(f"the {what} is {_STYLES[style]}" for style, what in styled)
        said = [f"In each column, {among}, {marks} where a paired test tells the two apart (p below 0.05, not adjusted)."]
    else:
        said = [f"Nothing is {' or '.join(names)}: in no column does a test of the run tell the best from the second best."]
    if any(len(block.runs) > 1 for block in blocks):
        said.append("No test compares numbers of several runs: a column that ranks such numbers together has no such marks.")
    return said


def _marks(spec: ScoreTable, blocks: Sequence[Block], shown: Sequence[Shown]) -> list[str]:
    numbers = [number for one in shown for row in one.numbers for number in row if number.delta is not None]
    verdicts = {number.verdict for number in numbers}
    said = []
    if verdicts & {"better", "worse", "differs"}:
        differs = ", ≠ another number than the base" if "differs" in verdicts else ""
        said.append(f"▲ better, ▼ worse than the base{differs}: the run's verdicts, with the paired difference.")
        said.append("A difference without such a sign has no such verdict, whatever its size.")
    elif numbers:
        said.append("Beside each number its paired difference to the base; the run has no verdict better or worse on any.")
    if "exploratory" in verdicts:
        said.append("Only the run's endpoints and their languages have a verdict; every other number is exploratory.")
    titles = {measure.id: measure.title for measure in spec.measures}
    down = dict.fromkeys(
        titles[key]
        for block in blocks
        for entry in block.entries
        for (key, _), (_, cell) in entry.cells.items()
        if cell.higher_is_better is False
    )
    return [*said, f"Lower is better: {', '.join(down)}."] if down else said


def _averages(spec: ScoreTable, shown: Sequence[Shown]) -> list[str]:
    titles = {measure.id: measure.title for measure in spec.measures}
    over_tasks: dict[tuple[str, str], dict[str, None]] = {}
    over_languages: dict[str, None] = {}
    for column in (column for one in shown for column in one.part.columns):
        if not column.mean or len(column.places) < 2:
            continue
        if column.language:
            of = ", ".join(titles[key] for key, _ in column.places)
            over_tasks.setdefault((column.group, of), {})[column.title] = None
        else:
            over_languages[f"{column.title}: the mean over the target languages, each counting alike, English left out."] = None
    said = [
        f"{group} {', '.join(of)}: the mean of {tasks}, each task counting alike." for (group, tasks), of in over_tasks.items()
    ]
    return [*said, *over_languages]


def provenance_remarks(blocks: Sequence[Block]) -> list[str]:
    """Under which profiles and by whom it was graded, and all that the runs say against the numbers shown."""
    grouped: dict[str, dict[str, None]] = defaultdict(dict)
    shown: dict[str, tuple[RunView, list[Cell]]] = {}
    for block in blocks:
        for entry in block.entries:
            for run, cell in entry.cells.values():
                shown.setdefault(run.name, (run, []))[1].append(cell)
                facts = run.results.task_of(cell)
                title = facts.title
                grouped[f"Profile {cell.profile}"][title] = None
                if cell.source:
                    grouped[f"{metric_of(cell).basis.graded} by {cell.source}"][f"{title} {code_in_print(cell.language)}"] = None
                if facts.substitute:
                    grouped[f"Rows of {facts.substitute} stand in"][f"{title} {code_in_print(cell.language)}"] = None
    remarks = [f"{text}: {', '.join(names)}." for text, names in grouped.items()]
    for run, _ in shown.values():
        remarks += [f"{run.label}: {said}" if run.label else said for said in _chosen(run)]
    for run, cells in shown.values():
        remarks += [f"{run.label}: {note}" if run.label else note for note in _against(run, cells)]
    return remarks


def _chosen(run: RunView) -> list[str]:
    """Which items chose the settings of a run, and which its numbers are of."""
    if run.results.picked is None:
        return []
    counts = side_counts(run.results.picked)
    development, test = sum(one.development for one in counts), sum(one.test for one in counts)
    return [
        f"Settings were chosen on {development} development items ({run.results.picked.rule}); numbers are of {test} test items."
    ]


def _against(run: RunView, cells: Sequence[Cell]) -> list[str]:
    """The warnings of a run that concern these cells."""
    places = dict.fromkeys(cell.key for cell in cells)
    of_these = replace(
        run.results,
        cells=tuple(cells),
        tasks={place: run.results.tasks[place] for place in places},
        overlap=tuple(
            shared
            for shared in run.results.overlap
            if TaskKey(shared.task, shared.language) in places and shared.learner not in run.results.left_out
        ),
    )
    return [note for note in notes(of_these) if note.startswith("!")]
