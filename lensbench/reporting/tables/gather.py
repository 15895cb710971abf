"""Which numbers of which runs stand side by side: those of one backbone and one setting that were asked and graded alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lensbench.backbones.registry import backbones
from lensbench.errors import UsageError, unknown_name
from lensbench.languages import CENTRAL, languages
from lensbench.reporting.tables.runs import BASE, TableRun
from lensbench.reporting.tables.schema import Measure, ScoreTable

__all__ = ["Block", "Choice", "Entry", "Place", "backbone_title", "gather", "language_name", "measure_languages"]

Place = tuple[str, str]
"""Measure and language."""


@dataclass(frozen=True)
class Choice:
    """What to take where a run has several numbers for one place."""

    judge: str | None = None
    identifier: str | None = None
    profile: str | None = None


@dataclass
class Entry:
    """A row: one variant, of one run or of several that fitted the same."""

    run: TableRun
    variant: str
    label: str
    cells: dict[Place, tuple[TableRun, Mapping[str, Any]]] = field(default_factory=dict)
    failed: str | None = None


@dataclass
class Block:
    """Runs whose numbers may stand in one section.

    Attributes:
        note: Why it stands apart from the block of the same backbone before it.
        asked: Place -> what a run must share to stand here.
    """

    runs: list[TableRun]
    targets: tuple[str, ...]
    entries: list[Entry] = field(default_factory=list)
    note: str = ""
    asked: dict[Place, dict[str, Any]] = field(default_factory=dict)

    @property
    def title(self) -> str:
        names = [language_name(code) for code in (CENTRAL, *self.targets)]
        return f"{backbone_title(self.runs[0].backbone)}: {', '.join(names[:-1])} and {names[-1]}"


def backbone_title(name: str) -> str:
    known = backbones().get(name)
    return known.title if known else name


def language_name(code: str) -> str:
    known = languages().get(code)
    return known.name if known else code


def measure_languages(measure: Measure, targets: Sequence[str]) -> tuple[str, ...]:
    central = () if measure.languages == "targets" else (CENTRAL,)
    return central if measure.languages == "central" else (*central, *targets)


def gather(spec: ScoreTable, runs: Sequence[TableRun], choice: Choice) -> tuple[list[Block], list[str]]:
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
        block.entries.sort(key=lambda entry: _rank(spec, entry))
    return blocks, warnings


def _of_setting(spec: ScoreTable, runs: Sequence[TableRun]) -> tuple[list[TableRun], list[str]]:
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


def _chosen_profiles(spec: ScoreTable, runs: Sequence[TableRun], choice: Choice) -> list[Measure]:
    """The measures, each with the one profile that the runs have."""
    known = dict.fromkeys(profile for measure in spec.measures for profile in measure.profiles)
    if choice.profile is not None and choice.profile not in known:
        raise unknown_name("profile of this table", choice.profile, known)
    measures = []
    for measure in spec.measures:
        allowed = (choice.profile,) if choice.profile in measure.profiles else measure.profiles
        used: dict[str, TableRun] = {}
        for run in runs:
            for cell in run.cells:
                if (cell["task"], cell["metric"]) == (measure.task, measure.metric) and cell["profile"] in allowed:
                    used.setdefault(cell["profile"], run)
        if len(used) > 1:
            places = " and ".join(f"under profile {profile} in {run.name}" for profile, run in used.items())
            raise UsageError(
                f"{measure.title} is asked {places}: scores of unlike profiles never share a table",
                f"Choose one with --profile {' or --profile '.join(used)}, or make a table of each run.",
            )
        measures.append(measure.model_copy(update={"profiles": tuple(used) or tuple(p for p in allowed if p)}))
    return measures


def _cells_of(run: TableRun, measures: Sequence[Measure], choice: Choice) -> Iterator[tuple[Place, dict[str, Mapping[str, Any]]]]:
    """(place, variant -> cell) for every place of the table the run has."""
    for measure in measures:
        for language in measure_languages(measure, run.targets):
            cells = [
                cell
                for cell in run.cells
                if (cell["task"], cell["language"], cell["metric"]) == (measure.task, language, measure.metric)
                and cell["profile"] in measure.profiles
            ]
            cells = _of_one_source(run, measure, language, cells, choice)
            if cells:
                yield (measure.id, language), {cell["variant"]: cell for cell in cells}


def _of_one_source(
    run: TableRun, measure: Measure, language: str, cells: list[Mapping[str, Any]], choice: Choice
) -> list[Mapping[str, Any]]:
    sources = list(dict.fromkeys(str(cell.get("source") or "") for cell in cells))
    if sources in ([], [""]):
        return cells
    judged = measure.metric.startswith("rating")
    option, wanted = ("judge", choice.judge) if judged else ("identifier", choice.identifier)
    if wanted is not None:
        named = [source for source in sources if source == wanted or source.partition(":")[0] == wanted]
        if not named:
            raise unknown_name(f"{option} in {run.name}", wanted, [source.partition(":")[0] for source in sources])
        sources = named
    if len(sources) > 1:
        raise UsageError(
            f"{run.name}: {measure.title} in '{language}' is by several {option}s: {', '.join(sources)}",
            f"Choose one with --{option} {sources[0]}; numbers by unlike {option}s are not comparable.",
        )
    return [cell for cell in cells if str(cell.get("source") or "") == sources[0]]


def _place(spec: ScoreTable, blocks: list[Block], run: TableRun, cells: dict[Place, dict[str, Mapping[str, Any]]]) -> None:
    asked = {place: _asked(run, next(iter(variants.values()))) for place, variants in cells.items()}
    alike = [b for b in blocks if b.runs[0].backbone_key == run.backbone_key and set(b.targets) == set(run.targets)]
    if alike and not any(asked.keys() & block.asked.keys() for block in alike):
        raise UsageError(
            f"{run.name} shares no number of the table '{spec.table}' with {alike[0].runs[0].name}, though both are of "
            f"{run.backbone} and {', '.join(run.targets)}",
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


def _asked(run: TableRun, cell: Mapping[str, Any]) -> dict[str, Any]:
    about = run.about(cell["task"], cell["language"]) or {}
    return {
        "another protocol": about.get("protocol"),
        "other rows": str(about.get("rows")).rpartition(":")[2],
        "another number of items": cell.get("planned", cell["n"]),
        "another identifier or judge": cell.get("source") or "",
    }


def _differing(one: dict[Place, dict[str, Any]], other: dict[Place, dict[str, Any]]) -> str:
    for place in one:
        what = [name for name, value in one[place].items() if place in other and other[place][name] != value]
        if what:
            return f"{', '.join(what)} for {place[0]} in {place[1]}"
    return ""


def _add_rows(spec: ScoreTable, block: Block, run: TableRun, cells: dict[Place, dict[str, Mapping[str, Any]]]) -> None:
    for variant in [*run.variants, *(name for name in run.failed if name not in run.variants)]:
        same = next((e for e in block.entries if e.variant == variant and e.run.digest(variant) == run.digest(variant)), None)
        if same is None or variant in run.failed:
            taken = any(entry.variant == variant for entry in block.entries)
            title = spec.rows.get(variant, variant)
            label = f"{run.label} · {title}" if taken and run.label else title
            same = Entry(run, variant, label, failed=run.failed.get(variant))
            block.entries.append(same)
        for place, variants in cells.items():
            if variant in variants:
                same.cells.setdefault(place, (run, variants[variant]))


def _rank(spec: ScoreTable, entry: Entry) -> tuple[int, int]:
    order = list(spec.rows)
    return (0 if entry.variant == BASE else 1, order.index(entry.variant) if entry.variant in order else len(order))
