"""Which numbers of which runs stand side by side: those of one backbone and one setting that were asked and graded alike."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from lensbench.backbones.registry import backbones
from lensbench.errors import UsageError, unknown_name
from lensbench.languages import CENTRAL, languages
from lensbench.metrics import RATINGS, get_metric
from lensbench.numbers.cell import Cell
from lensbench.records import Grader
from lensbench.records.grader import GraderKind
from lensbench.reporting.run_view import RunView
from lensbench.reporting.tables.row_names import row_place, row_title
from lensbench.reporting.tables.schema import Measure, ScoreTable
from lensbench.spec import BASE

__all__ = [
    "Asked",
    "Block",
    "Choice",
    "Entry",
    "Place",
    "RunCell",
    "backbone_title",
    "gather",
    "language_name",
    "measure_languages",
]

Place = tuple[str, str]
"""Measure and language."""
RunCell = tuple[RunView, Cell]
"""A number and the run that it is of."""
Asked = dict[str, str | int | None]
"""What two runs must share, in words -> how it is in one of them."""


@dataclass(frozen=True)
class Choice:
    """What to take where a run has several numbers for one place."""

    judge: str | None = None
    identifier: str | None = None
    profile: str | None = None


@dataclass
class Entry:
    """A row: one variant, of one run or of several that fitted and scored the same.

    Attributes:
        group: Rows of one number share a base; no others are ranked against each other.
    """

    run: RunView
    variant: str
    label: str
    group: int = 0
    cells: dict[Place, RunCell] = field(default_factory=dict)
    failed: str | None = None


@dataclass
class Block:
    """Runs whose numbers may stand in one section.

    Attributes:
        note: Why it stands apart from the block of the same backbone before it.
        asked: Place -> what a run must share to stand here.
        remarks: Which runs have a base of their own, and where it differs.
        apart: What tells it from other blocks: its runs, and its protocol where that differs; "" for an only block.
    """

    runs: list[RunView]
    targets: tuple[str, ...]
    entries: list[Entry] = field(default_factory=list)
    note: str = ""
    asked: dict[Place, Asked] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    apart: str = ""

    @property
    def title(self) -> str:
        names = [language_name(code) for code in (CENTRAL, *self.targets)]
        listed = " and ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)
        return f"{backbone_title(self.runs[0].results.backbone)}: {listed}{self.apart}"


def backbone_title(name: str) -> str:
    known = backbones().get(name)
    return known.title if known else name


def language_name(code: str) -> str:
    known = languages().get(code)
    return known.name if known else code


def measure_languages(measure: Measure, targets: Sequence[str]) -> tuple[str, ...]:
    central = () if measure.languages == "targets" else (CENTRAL,)
    return central if measure.languages == "central" else (*central, *targets)


def gather(spec: ScoreTable, runs: Sequence[RunView], choice: Choice) -> tuple[list[Block], list[str]]:
    """Blocks of rows, and warnings about runs that are not in them.

    Raises:
        UsageError: no run fits the table's setting or has a number of it, runs asked under unlike profiles, runs of one backbone
            that share no place, several judges or identifiers and none chosen.
    """
    fitting, warnings = _of_setting(spec, runs)
    measures = _chosen_profiles(spec, fitting, choice)
    found = [(run, dict(_cells_of(run, measures, choice))) for run in fitting]
    empty = [run for run, cells in found if not cells]
    if len(empty) == len(found):
        wanted = ", ".join(f"{m.title} ({m.task}, {m.metric})" for m in measures if not m.optional)
        raise UsageError(
            f"{', '.join(run.name for run, _ in found)}: no number of the table '{spec.table}'", f"It shows {wanted}."
        )
    warnings += [f"{run.name} has no number of this table and is left out" for run in empty]
    blocks: list[Block] = []
    for run, cells in found:
        if cells:
            _place(spec, blocks, run, cells)
    for block in blocks:
        block.entries.sort(key=lambda entry: (entry.group, *_rank(spec, entry)))
        if any(entry.group for entry in block.entries):
            for entry in block.entries:
                entry.label = _labelled(entry.run, row_title(entry.run, entry.variant, spec.rows))
        if len(blocks) > 1:
            block.apart = f" ({'; '.join([', '.join(run.short for run in block.runs), *_own_protocol(block, blocks)])})"
    return blocks, warnings


def _of_setting(spec: ScoreTable, runs: Sequence[RunView]) -> tuple[list[RunView], list[str]]:
    if spec.setting == "any":
        return list(runs), []
    single = spec.setting == "bilingual"
    fitting = [run for run in runs if (len(run.targets) == 1) == single and run.targets]
    others = [run for run in runs if run not in fitting]
    wanted = "one target language" if single else "several target languages"
    if not fitting:
        other = "multilingual" if single else "bilingual"
        raise UsageError(
            f"the table '{spec.table}' is for runs with {wanted}; "
            + "; ".join(f"{run.name} has {', '.join(run.targets) or 'none'}" for run in others),
            f"Try: lensbench table {other}" if any(run.targets for run in others) else None,
        )
    return fitting, [f"{run.name} is left out: this table is for runs with {wanted}" for run in others]


def _chosen_profiles(spec: ScoreTable, runs: Sequence[RunView], choice: Choice) -> list[Measure]:
    """The measures, each with the one profile that the runs have."""
    known = dict.fromkeys(profile for measure in spec.measures for profile in measure.profiles)
    if choice.profile is not None and choice.profile not in known:
        raise unknown_name("profile of this table", choice.profile, known)
    measures = []
    for measure in spec.measures:
        allowed = (choice.profile,) if choice.profile in measure.profiles else measure.profiles
        used: dict[str, RunView] = {}
        for run in runs:
            for cell in run.results.cells:
                if (cell.task, cell.metric) == (measure.task, measure.metric) and run.profile_of(cell) in allowed:
                    used.setdefault(run.profile_of(cell), run)
        if len(used) > 1:
            places = " and ".join(f"under profile {profile} in {run.name}" for profile, run in used.items())
            raise UsageError(
                f"{measure.title} is asked {places}: scores of unlike profiles never share a table",
                f"Choose one with {' or '.join(f'``profile={name}``' for name in used)}, or make a table of each run.",
            )
        measures.append(measure.model_copy(update={"profiles": tuple(used) or tuple(p for p in allowed if p)}))
    return measures


def _cells_of(run: RunView, measures: Sequence[Measure], choice: Choice) -> Iterator[tuple[Place, dict[str, Cell]]]:
    """(place, variant -> cell) for every place of the table the run has."""
    for measure in measures:
        for language in measure_languages(measure, run.targets):
            cells = [
                cell
                for cell in run.results.cells
                if (cell.task, cell.language, cell.metric) == (measure.task, language, measure.metric)
                and run.profile_of(cell) in measure.profiles
            ]
            cells = _of_one_source(run, measure, language, cells, choice)
            if cells:
                yield (measure.id, language), {cell.variant: cell for cell in cells}


def _of_one_source(run: RunView, measure: Measure, language: str, cells: list[Cell], choice: Choice) -> list[Cell]:
    sources = list(dict.fromkeys(cell.source for cell in cells))
    if sources in ([], [""]):
        return cells
    option: GraderKind = "judge" if get_metric(measure.metric).basis is RATINGS else "identifier"
    wanted = choice.judge if option == "judge" else choice.identifier
    if wanted is not None:
        names = {source: Grader.parse(source, option).name for source in sources}
        named = [source for source, name in names.items() if wanted in (source, name)]
        if not named:
            raise unknown_name(f"{option} in {run.name}", wanted, list(names.values()))
        sources = named
    if len(sources) > 1:
        raise UsageError(
            f"{run.name}: {measure.title} in '{language}' is by several {option}s: {', '.join(sources)}",
            f"Choose one with --{option} {sources[0]}; numbers by unlike {option}s are not comparable.",
        )
    return [cell for cell in cells if cell.source == sources[0]]


def _place(spec: ScoreTable, blocks: list[Block], run: RunView, cells: dict[Place, dict[str, Cell]]) -> None:
    asked = {place: _asked(run, next(iter(variants.values()))) for place, variants in cells.items()}
    alike = [b for b in blocks if b.runs[0].backbone_key == run.backbone_key and set(b.targets) == set(run.targets)]
    if alike and not any(asked.keys() & block.asked.keys() for block in alike):
        raise UsageError(
            f"{run.name} shares no number of the table '{spec.table}' with {alike[0].runs[0].name}, though both are of "
            f"{run.results.backbone} and {', '.join(run.targets)}",
            "Make a table of each.",
        )
    unlike = ""
    for block in alike:
        differing = _differing(asked, block.asked)
        if not differing:
            break
        unlike = unlike or f"{run.name} stands apart from {block.runs[0].name}: {differing}"
    else:
        block = Block([], run.targets, note=unlike)
        blocks.append(block)
    block.runs.append(run)
    block.asked.update(asked)
    _add_rows(spec, block, run, cells)


def _asked(run: RunView, cell: Cell) -> Asked:
    facts = run.results.task_of(cell)
    return {
        "another protocol": facts.protocol,
        "other rows": facts.rows_digest,
        "another number of items": cell.planned,
        "another identifier or judge": cell.source,
    }


def _differing(one: dict[Place, Asked], other: dict[Place, Asked]) -> str:
    for place in one:
        what = [name for name, value in one[place].items() if place in other and other[place][name] != value]
        if what:
            return f"{', '.join(what)} for {place[0]} in {place[1]}"
    return ""


def _own_protocol(block: Block, blocks: Sequence[Block]) -> list[str]:
    """The protocol of the first place that another block of these weights and languages asked otherwise."""
    first = block.runs[0]
    for other in blocks:
        if other is block or other.runs[0].backbone_key != first.backbone_key or set(other.targets) != set(block.targets):
            continue
        for place, asked in block.asked.items():
            own = asked["another protocol"]
            if place in other.asked and other.asked[place]["another protocol"] != own:
                return [f"protocol {str(own)[:12]} for {place[0]} in {place[1]}"]
    return []


def _add_rows(spec: ScoreTable, block: Block, run: RunView, cells: dict[Place, dict[str, Cell]]) -> None:
    own = {
        variant: {place: (run, variants[variant]) for place, variants in cells.items() if variant in variants}
        for variant in [*run.variants, *(name for name in run.results.failed if name not in run.variants)]
        # A setting that was tried and not chosen is no result of its method.
        if variant not in run.results.left_out
    }
    group = _group(block, run, own.get(BASE, {}))
    # By name: looking through all rows for each makes a run of many variants slow.
    named: dict[str, list[Entry]] = {}
    for entry in block.entries:
        named.setdefault(entry.variant, []).append(entry)
    for variant, numbers in own.items():
        there = named.get(variant, [])
        row = next((e for e in there if e.group == group and _is_row_of(e, run, variant, numbers)), None)
        if row is None:
            title = row_title(run, variant, spec.rows)
            taken = bool(there)
            row = Entry(run, variant, _labelled(run, title) if taken else title, group, failed=run.results.failed.get(variant))
            block.entries.append(row)
        for place, number in numbers.items():
            row.cells.setdefault(place, number)


def _group(block: Block, run: RunView, base: Mapping[Place, RunCell]) -> int:
    """The rows whose base has the same numbers wherever both have one, else a new group.

    The digest of the base says that its weights are the same, not its numbers: answers may be sampled or judged anew.
    """
    bases = {entry.group: entry for entry in reversed(block.entries) if entry.variant == BASE}
    where = ""
    for group in dict.fromkeys(entry.group for entry in block.entries):
        differing = _unequal(bases[group].cells, base) if group in bases else None
        if differing is None:
            return group
        where = where or f"{bases[group].run.short} for {differing[0]} in {differing[1]}"
    if where:
        block.remarks.append(
            f"The base of {run.short} has other numbers than that of {where}, so its rows stand below, compared and marked "
            "among themselves."
        )
    return 1 + max((entry.group for entry in block.entries), default=-1)


def _is_row_of(entry: Entry, run: RunView, variant: str, numbers: Mapping[Place, RunCell]) -> bool:
    return (
        (entry.variant, entry.run.digest(variant)) == (variant, run.digest(variant))
        and entry.failed is None
        and variant not in run.results.failed
        and _unequal(entry.cells, numbers) is None
    )


def _unequal(one: Mapping[Place, RunCell], other: Mapping[Place, RunCell]) -> Place | None:
    """The first place where both have a number, and not the same one."""
    return next((place for place in one if place in other and not _same_number(one[place][1], other[place][1])), None)


def _same_number(one: Cell, other: Cell) -> bool:
    """Of the same items, states and difference to the base; p depends on what else its run tested."""
    if (one.n, one.failures, one.states) != (other.n, other.failures, other.states):
        return False
    pairs = [(one.value, other.value), (one.delta, other.delta)]
    return all(a is b if a is None or b is None else math.isclose(a, b, abs_tol=1e-9) for a, b in pairs)


def _labelled(run: RunView, title: str) -> str:
    return f"{run.short} · {title}"


def _rank(spec: ScoreTable, entry: Entry) -> tuple[int, int]:
    return (0 if entry.variant == BASE else 1, row_place(entry.run, entry.variant, spec.rows))
