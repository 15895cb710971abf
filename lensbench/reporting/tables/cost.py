"""What fitting took, as the run recorded it (Table 5 of the LENS paper)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from lensbench.errors import UsageError
from lensbench.papers import Published
from lensbench.papers.discrepancies import matching_backbone, same_setting
from lensbench.papers.paper_comparison import UNLIKE
from lensbench.papers.schema import CostRow, seconds_of
from lensbench.records.fit_card import FitCost
from lensbench.reporting.run_view import RunView
from lensbench.reporting.tables.gather import backbone_title
from lensbench.reporting.tables.model import MISSING, Cell, Column, Notes, Row, Section, Table, missing
from lensbench.reporting.tables.numbers import count, duration, mebibytes, percent
from lensbench.reporting.tables.other_settings import other_settings
from lensbench.reporting.tables.paper_comparison import difference_text, verdict_cell
from lensbench.reporting.tables.placed import PlacedTexts
from lensbench.reporting.tables.provenance import run_facts
from lensbench.reporting.tables.row_names import row_place, row_title
from lensbench.reporting.tables.schema import CostTable

__all__ = ["cost_table"]

EQUAL = "equal"

_COLUMNS: dict[str, tuple[str, str, str, Callable[[Any], str] | None]] = {
    "time": ("time", "wall_seconds", "seconds", duration),
    "gpu": ("accelerator time", "gpu_seconds", "seconds", duration),
    "trained": ("trained", "trainable_share", "percent", None),
    "items": ("items", "training_items", "items", count),
    "tokens": ("tokens", "training_tokens", "tokens", count),
    "steps": ("steps", "steps", "steps", count),
    "peak": ("peak memory", "peak_bytes", "bytes", mebibytes),
    "floor": ("memory floor", "floor_bytes", "bytes", mebibytes),
    "generated": ("generated tokens", "generated_tokens", "tokens", count),
    "server": ("tokens of a server", "server_tokens", "tokens", count),
    "translated": ("translated texts", "translated_texts", "texts", count),
}
"""Column -> title, field of the recorded cost, unit, print (None: with the digits of the table)."""


def cost_table(
    spec: CostTable, runs: Sequence[RunView], published: Sequence[Published] = (), paper_backbone: str | None = None
) -> Table:
    """The cost table.

    Raises:
        UsageError: no run has a recorded cost.
    """
    notes = Notes()
    with_costs = [run for run in runs if run.results.costs]
    if not with_costs:
        raise UsageError(
            f"{', '.join(run.name for run in runs)}: no cost is recorded",
            "A cost is recorded where a method is fitted; a run of the base alone, or of an older version, has none.",
        )
    warnings = [f"{run.name} has no recorded cost and is left out" for run in runs if run not in with_costs]
    groups: dict[tuple[str, tuple[str, ...]], list[RunView]] = {}
    for run in with_costs:
        groups.setdefault((run.backbone_key, run.machines), []).append(run)
    sections = [_section(spec, group, notes) for group in groups.values()]
    remarks: list[str] = []
    for paper in published:
        if paper.costs is not None:
            sections += [_paper_section(spec, group, paper, paper_backbone, notes) for group in groups.values()]
    caption = [spec.about, *([f"After {spec.like}."] if spec.like else [])]
    caption.append("Time is wall time of one fit, trained is the share of the parameters that change.")
    return Table(spec.table, spec.title, caption, sections, notes, warnings, remarks)


def _rows(group: Sequence[RunView]) -> list[tuple[RunView, str, FitCost]]:
    found = []
    for run in group:
        costs = run.results.costs
        found += [(run, variant, costs[variant]) for variant in run.variants if variant in costs]
    return found


def _label(spec: CostTable, group: Sequence[RunView], run: RunView, variant: str) -> str:
    title = row_title(run, variant, spec.rows)
    several = sum(variant in other.results.costs for other in group) > 1
    return f"{run.label} · {title}" if several and run.label else title


def _title(group: Sequence[RunView]) -> str:
    return f"{backbone_title(group[0].results.backbone)} on {' and '.join(group[0].machines) or 'a machine that is not recorded'}"


def _section(spec: CostTable, group: Sequence[RunView], notes: Notes) -> Section:
    title = _title(group)
    columns = [Column(_COLUMNS[name][0]) for name in spec.columns]
    listed = sorted(_rows(group), key=lambda row: row_place(row[0], row[1], spec.rows))
    rows = []
    for run, variant, cost in listed:
        label = _label(spec, group, run, variant)
        cells = [_cell(spec, title, label, variant, name, cost, notes) for name in spec.columns]
        cached = cost.cached_seconds
        if cached and "time" in spec.columns:
            place = spec.columns.index("time")
            note = f"{label}: {duration(cached)} of it by an earlier start, whose results were read from the cache"
            cells[place] = Cell(
                cells[place].text, notes=(*cells[place].notes, notes.number(note)), fields={**cells[place].fields, "note": note}
            )
        rows.append(Row(label, tuple(cells)))
    remarks = []
    if any(len(run.machines) > 1 for run in group):
        remarks.append("The run was started on several machines; which of them fitted a method is not recorded.")
    failed = {f"{name}: could not be fitted ({why})": None for run in group for name, why in run.results.failed.items()}
    return Section(title, columns, rows, "", [*remarks, *failed])


def _cell(spec: CostTable, section: str, label: str, variant: str, name: str, cost: FitCost, notes: Notes) -> Cell:
    title, key, unit, show = _COLUMNS[name]
    value = getattr(cost, key)
    fields = {
        "section": section,
        "row": label,
        "variant": variant,
        "column": title,
        "shown": "",
        "value": value,
        "unit": unit,
        "note": "",
    }
    if value is None:
        device = "no accelerator was used, or its time is not recorded" if name == "gpu" else "not recorded"
        return missing(notes, f"{title}: {device}", fields)
    scaled = 100 * value if unit == "percent" else value
    text = show(value) if show else percent(value, spec.digits)
    return Cell(text, fields={**fields, "shown": text, "value": scaled})


def _paper_section(spec: CostTable, group: Sequence[RunView], paper: Published, wanted: str | None, notes: Notes) -> Section:
    costs = paper.costs
    assert costs is not None
    columns = [Column("number", align="left"), Column("here"), Column("paper"), Column("verdict", align="left")]
    rows: list[Row] = []
    settings = PlacedTexts()
    printed = {row.method: row for row in costs.rows}
    for run, variant, cost in _rows(group):
        row = printed.get(run.method(variant))
        if row is not None:
            label = _label(spec, group, run, variant)
            why = _unlike_fit(run, variant, paper, wanted)
            settings.add(label, "", why)
            rows += [Row(label, cells) for cells in _compared(run, cost, row, paper, why, notes)]
    absent = [method for method in printed if method not in {run.method(variant) for run, variant, _ in _rows(group)}]
    remarks = [
        f"Set against Table {costs.table} of {paper.source}: {paper.backbones[costs.backbone].title}, {costs.machine.title}. "
        "Times of unlike machines are shown and not judged; the trained share is compared to the last printed digit.",
        *([f"Printed for variants that are not here: {', '.join(absent)}."] if absent else []),
        *costs.notes,
    ]
    title = f"Beside {paper.title}: {_title(group)}"
    return Section(title, columns, rows, "", remarks, in_csv=False, lead=other_settings(settings))


def _compared(
    run: RunView, cost: FitCost, row: CostRow, paper: Published, why: Sequence[str], notes: Notes
) -> list[tuple[Cell, ...]]:
    costs = paper.costs
    assert costs is not None
    found: list[tuple[Cell, ...]] = []
    machines = " and ".join(run.machines) or "a machine that is not recorded"
    same_machine = len(run.machines) == 1 and any(name in run.machines[0] for name in costs.machine.names)
    timing = [*why, *([] if same_machine else [f"other machine: {machines}, the paper's is {costs.machine.title}"])]
    wall = cost.wall_seconds
    time = _printed(row.time, row.unread.get("time"), notes)
    found.append((Cell("time"), Cell(MISSING if wall is None else duration(wall)), time, _time_verdict(row, wall, timing, notes)))
    share = cost.trainable_share
    ours = MISSING if share is None else f"{100 * share:.2f}"
    theirs = row.trainable_percent
    if theirs is not None and share is not None:
        digits = len(theirs.partition(".")[2])
        ours = f"{100 * share:.{digits}f}"
        judged = Cell(EQUAL)
        if ours != theirs:
            judged = Cell(f"differs by {difference_text(float(ours) - float(theirs), digits)}", "bold")
    else:
        judged = Cell(UNLIKE, notes=(notes.number("one of the two is not known"),))
    printed = _printed(theirs, row.unread.get("trainable_percent"), notes)
    found.append((Cell("trained, %"), Cell(ours), printed, judged))
    items = cost.training_items
    counted = "the paper gives a rounded count and does not say what one item is"
    found.append(
        (
            Cell("items"),
            Cell(MISSING if items is None else count(items)),
            _printed(row.instructions, row.unread.get("instructions"), notes),
            verdict_cell(UNLIKE, [counted], notes),
        )
    )
    return found


def _printed(text: str | None, unread: str | None, notes: Notes) -> Cell:
    if text is not None:
        return Cell(text)
    return Cell(MISSING, notes=(notes.number(f"in the paper: {unread or 'printed as a dash'}"),))


def _time_verdict(row: CostRow, wall: float | None, why: Sequence[str], notes: Notes) -> Cell:
    if row.time is None or wall is None:
        return Cell(UNLIKE, notes=(notes.number("one of the two is not known"),))
    if why:
        return verdict_cell(UNLIKE, why, notes)
    ratio = wall / seconds_of(row.time)
    return Cell(f"{ratio:.2f} times the paper's")


def _unlike_fit(run: RunView, variant: str, paper: Published, wanted: str | None) -> list[str]:
    """Settings of a fit that are not the paper's."""
    costs = paper.costs
    assert costs is not None
    targets = costs.targets
    key, backbone = matching_backbone(paper, run_facts(run), wanted if wanted in paper.backbones else None)
    if key != costs.backbone:
        backbone = f"other backbone: {run.results.backbone}, the paper's is {paper.backbones[costs.backbone].title}"
    why = [backbone] if backbone else []
    if set(run.targets) != set(targets):
        why.append(f"fitted for {', '.join(run.targets)}, the paper's variant for {', '.join(targets)}")
    config, method = run.config(variant), run.method(variant)
    for row in paper.settings:
        if (row.method, row.backbone, row.targets) == (method, costs.backbone, targets):
            for key, theirs in row.values.items():
                if not same_setting(config.get(key), theirs, run.targets):
                    why.append(f"other settings: {key}")
    if config.get("lora_rank"):
        why.append(f"other settings: adapters of rank {config['lora_rank']}")
    return why
