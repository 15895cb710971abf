"""What the methods were set to, as the run recorded it (Tables 2 and 3 of the LENS paper)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lensbench.errors import UsageError
from lensbench.jsonio import json_text
from lensbench.papers import Published
from lensbench.papers.discrepancies import matching_backbone, same_setting, shown_setting
from lensbench.papers.paper_comparison import UNLIKE
from lensbench.reporting.run_view import RunView
from lensbench.reporting.tables.gather import backbone_title
from lensbench.reporting.tables.model import Cell, Column, Notes, Row, Section, Table, missing
from lensbench.reporting.tables.other_settings import other_settings
from lensbench.reporting.tables.paper_comparison import verdict_cell
from lensbench.reporting.tables.placed import PlacedTexts
from lensbench.reporting.tables.provenance import run_facts
from lensbench.reporting.tables.schema import SettingColumn, SettingsOf, SettingsTable
from lensbench.reporting.tables.table_columns import code_in_print

__all__ = ["settings_table"]


def settings_table(
    spec: SettingsTable, runs: Sequence[RunView], published: Sequence[Published] = (), paper_backbone: str | None = None
) -> Table:
    """The settings table: a section for each method that a run fitted.

    Raises:
        UsageError: no run fitted a method.
    """
    notes = Notes()
    fitted: dict[str, list[tuple[RunView, str]]] = {}
    for run in runs:
        for variant in run.variants:
            if run.results.variants[variant].method:
                fitted.setdefault(run.method(variant), []).append((run, variant))
    if not fitted:
        raise UsageError(f"{', '.join(run.name for run in runs)}: no method was fitted, so there are no settings")
    order = list(spec.methods)
    sections = []
    for method in sorted(fitted, key=lambda name: order.index(name) if name in order else len(order)):
        sections.append(_section(spec, method, fitted[method], notes))
        for paper in published:
            sections += _paper_section(spec, method, fitted[method], paper, paper_backbone, notes)
    caption = [spec.about, *([f"After {spec.like}."] if spec.like else [])]
    caption.append("Blocks are counted from 1; the last one is always the end.")
    return Table(spec.table, spec.title, caption, sections, notes)


def _label(rows: Sequence[tuple[RunView, str]], run: RunView, variant: str) -> str:
    names = ", ".join(code_in_print(code) for code in run.targets)
    title = f"{backbone_title(run.results.backbone)}, {names}"
    if sum(other is run for other, _ in rows) > 1 or variant != run.method(variant):
        title = f"{title}: {variant}"
    return f"{run.label} · {title}" if len(rows) > 1 and run.label else title


def _section(spec: SettingsTable, method: str, rows: Sequence[tuple[RunView, str]], notes: Notes) -> Section:
    described = spec.methods.get(method)
    title = described.title if described else spec.rows.get(method, method)
    columns = _columns(described, rows)
    made = []
    for run, variant in rows:
        config, label = run.config(variant), _label(rows, run, variant)
        cells = [_cell(title, label, variant, column, code, config, run, notes) for column, code in columns]
        made.append(Row(label, tuple(cells)))
    shown = [Column(f"{c.title} {code_in_print(code)}" if code else c.title) for c, code in columns]
    return Section(title, shown, made)


def _columns(described: SettingsOf | None, rows: Sequence[tuple[RunView, str]]) -> list[tuple[SettingColumn, str]]:
    """Each column with its language, "" for none. A method the spec does not know shows its whole configuration in one."""
    if described is None:
        return [(SettingColumn(key="", title="Configuration"), "")]
    targets = list(dict.fromkeys(code for run, _ in rows for code in run.targets))
    found: list[tuple[SettingColumn, str]] = []
    for column in described.columns:
        found += [(column, code) for code in targets] if column.per_language else [(column, "")]
    return found


def _cell(
    section: str,
    label: str,
    variant: str,
    column: SettingColumn,
    code: str,
    config: Mapping[str, object],
    run: RunView,
    notes: Notes,
) -> Cell:
    fields = {
        "section": section,
        "row": label,
        "variant": variant,
        "column": column.title,
        "language": code,
        "shown": "",
        "value": None,
        "note": "",
    }
    if not column.key:
        text = json_text(config, sort_keys=True)
        return Cell(text, fields={**fields, "shown": text})
    if column.key not in config:
        return missing(notes, f"{column.title}: the run did not record it", fields)
    if code and code not in run.targets:
        return missing(notes, f"{code_in_print(code)} is no target language of this run", fields)
    value = config[column.key]
    if code and isinstance(value, Mapping):
        if code not in value:
            return missing(notes, f"{column.title} {code_in_print(code)}: not set", fields)
        value = value[code]
    text = shown_setting(value)
    number = value if isinstance(value, (int, float)) and not isinstance(value, bool) else None
    return Cell(text, fields={**fields, "shown": text, "value": number})


def _paper_section(
    spec: SettingsTable, method: str, rows: Sequence[tuple[RunView, str]], paper: Published, wanted: str | None, notes: Notes
) -> list[Section]:
    """The paper's values of a method beside the runs'; unlike backbones or targets are listed and not judged."""
    printed = [row for row in paper.settings if row.method == method]
    if not printed:
        return []
    made: list[Row] = []
    others = PlacedTexts()
    tables: dict[int, None] = {}
    for run, variant in rows:
        key, backbone = matching_backbone(paper, run_facts(run), wanted if wanted in paper.backbones else None)
        same = [row for row in printed if row.backbone == key and set(row.targets) == set(run.targets)]
        label = _label(rows, run, variant)
        others.add(label, "", [backbone] if backbone else [])
        if not same:
            why = f"the paper prints no settings for {', '.join(run.targets)}"
            made.append(Row(label, (Cell("all"), *[missing(notes, why)] * 2, verdict_cell(UNLIKE, [why], notes))))
        for row in same:
            tables[row.table] = None
            for name, theirs in row.values.items():
                ours = run.config(variant).get(name)
                equal = same_setting(ours, theirs, run.targets)
                verdict = "equal" if equal else "not equal"
                ours_cell = missing(notes, f"{name}: the run did not record it") if ours is None else Cell(shown_setting(ours))
                judged = Cell(verdict, "none" if equal else "bold")
                made.append(Row(label, (Cell(name), ours_cell, Cell(shown_setting(theirs)), judged)))
    columns = [Column("setting", align="left"), Column("here"), Column("paper"), Column("verdict", align="left")]
    where = f"Tables {' and '.join(map(str, tables))} of " if len(tables) > 1 else "".join(f"Table {t} of " for t in tables)
    title = f"Beside {paper.title}: {spec.methods[method].title if method in spec.methods else method}"
    below = [f"Set against {where}{paper.source}."]
    return [Section(title, columns, made, "", below, in_csv=False, lead=other_settings(others))]
