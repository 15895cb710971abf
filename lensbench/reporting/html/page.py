"""The page itself: templates, style and script of `reports/html/` filled with what the runs hold."""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from lensbench.content import content_dir
from lensbench.errors import RunError
from lensbench.jsonio import json_text
from lensbench.languages import languages
from lensbench.metrics import metric_of
from lensbench.numbers.cell import Cell
from lensbench.numbers.one_sided import one_sided
from lensbench.numbers.run_results import SharedItems
from lensbench.records import write_atomically
from lensbench.reporting.blocks import blocks_of, language_name
from lensbench.reporting.columns import Column, columns_of
from lensbench.reporting.html.averages import average_groups
from lensbench.reporting.html.charts import bar_chart, difference_chart, reach_of, scale_key
from lensbench.reporting.html.first_screen import first_screen, short_title
from lensbench.reporting.html.gather import Entry, gather
from lensbench.reporting.html.health import health_of
from lensbench.reporting.html.heat import heat_tables
from lensbench.reporting.html.links import ItemLinks
from lensbench.reporting.html.pack import pack
from lensbench.reporting.html.pair_matrix import pair_matrices
from lensbench.reporting.html.provenance import provenance_facts
from lensbench.reporting.html.settings import settings_view
from lensbench.reporting.html.text import json_for_page, plain, visible
from lensbench.reporting.run_view import RunView
from lensbench.reporting.text.cost import COST_HEADER, cost_rows
from lensbench.reporting.text.pick_table import pick_table
from lensbench.reporting.text.table import notes
from lensbench.spec import BASE
from lensbench.version import __version__

__all__ = ["Figure", "render_html_report", "write_html_report"]

_SCRIPTS = ("copy.js", "sort.js", "text.js", "blocks.js", "filters.js", "search.js", "detail.js", "browser.js", "page.js")
_LETTERS = "ABCDEFGHIJ"
_MANY = 16
"""Of more columns there are no bars, which nobody could tell apart, and the tables of single tasks are folded."""


@dataclass(frozen=True)
class Figure:
    """A figure made elsewhere. It is shown as an image, so no script in it runs and none of its styles leak.

    Attributes:
        caption: What it shows, also for those who cannot see it.
        svg: The file's text.
    """

    caption: str
    svg: str

    @property
    def address(self) -> Markup:
        return Markup("data:image/svg+xml;base64,") + base64.b64encode(self.svg.encode("utf-8")).decode("ascii")


def write_html_report(runs: Sequence[RunView], path: Path, figures: Sequence[Figure] = ()) -> None:
    """Write the report of one or several runs as one file; a reader never sees half of it.

    Raises:
        RunError: the file cannot be written.
    """
    write_atomically(path, render_html_report(runs, figures))


def render_html_report(runs: Sequence[RunView], figures: Sequence[Figure] = ()) -> str:
    """The report as text. The same runs give the same bytes: nothing of the clock or the machine goes in."""
    home = content_dir("reports") / "html"
    style, script = _read(home / "report.css"), "\n".join(_read(home / "js" / name) for name in _SCRIPTS)
    script = f'(() => {{\n"use strict";\n{script}}})();\n'
    columns = columns_of(runs)
    entries = gather(runs)
    health = health_of(entries)
    packed = pack(entries, columns)
    blocks = blocks_of(runs, columns)
    links = _links(runs, columns, entries)
    screens = [first_screen(run, own, n) for run, own, n in zip(runs, links, _items_of(runs, columns, entries), strict=True)]
    reach = reach_of(blocks)
    charted = [] if len(columns) > _MANY else blocks
    differences = [(b, chart) for b in charted if (chart := difference_chart(b, columns, reach[scale_key(b)])) is not None]
    titles = {task: title for run in runs for task, title in run.results.titles().items()}
    meta = {
        "columns": [{"run": c.run, "variant": c.variant, "label": c.label, "base": c.base} for c in columns],
        "groups": [{**asdict(group), "title": titles.get(group.task, group.task)} for group in packed.groups],
        "starts": packed.starts,
        "copies": [None if screen.copies is None else asdict(screen.copies) for screen in screens],
        "languages": {
            code: {"name": language.name, "native": language.native, "dir": language.direction}
            for code, language in languages().items()
            if any(group.language == code for group in packed.groups)
        },
    }
    template = _environment(home).get_template("report.html.jinja")
    return template.render(
        version=__version__,
        style=Markup(style),
        script=Markup(script),
        style_hash=_hash(style),
        script_hash=_hash(script),
        runs=runs,
        columns=columns,
        blocks=blocks,
        profiles=list(dict.fromkeys(b.profile for b in blocks)),
        screens=screens,
        base_name=BASE,
        titles_of_runs=[short_title(run) for run in runs],
        groups=[(run, average_groups(run, own)) for run, own in zip(runs, links, strict=True)],
        picks_of_runs=[(run, pick_table(run.results)) for run in runs],
        pairs_of_runs=[(run, pair_matrices(run)) for run in runs],
        settings_of_runs=[(run, view) for run in runs if (view := settings_view(run)) is not None],
        many=len(columns) > _MANY,
        charts=[] if len(columns) > _MANY else [(b, bar_chart(b, columns)) for b in blocks],
        differences=differences,
        figures=figures,
        matrices=[(run, heat_tables(run.results.matrices)) for run in runs],
        health=health,
        picks=_picks(runs),
        overlap=_overlap(runs),
        titles=titles,
        letters=_LETTERS,
        costs=[(run, COST_HEADER, cost_rows(run.results.costs)) for run in runs if run.results.costs],
        notes=[(run, notes(run.results)) for run in runs],
        provenance=[(run, provenance_facts(run)) for run in runs],
        damage=[(run, d) for run in runs for d in run.damage],
        meta=json_for_page(meta),
        packed=packed,
    )


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise RunError(f"{path}: a part of the report is missing", "Install lensbench again.") from None


def _hash(text: str) -> str:
    """For the content security policy: only this very text may run, or style."""
    return base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")


@functools.cache
def _environment(home: Path) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(home),
        autoescape=True,
        finalize=visible,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["one_sided"] = one_sided
    environment.filters["level_of_chance"] = _chance
    environment.filters["language"] = language_name
    environment.filters["plain"] = plain
    environment.filters["pretty"] = lambda value: json_text(value, indent=1)
    return environment


def _chance(cell: Cell) -> str:
    """The level of chance of a number, in its unit."""
    return "" if cell.chance is None else metric_of(cell).unit.text(cell.chance)


def _links(runs: Sequence[RunView], columns: Sequence[Column], entries: Sequence[Entry]) -> list[ItemLinks]:
    places = {(entry.task, entry.profile, entry.language) for entry in entries}
    labels: list[dict[str, str]] = [{} for _ in runs]
    for column in columns:
        labels[column.run][column.variant] = column.label
    return [ItemLinks(run, own, places) for run, own in zip(runs, labels, strict=True)]


def _items_of(runs: Sequence[RunView], columns: Sequence[Column], entries: Sequence[Entry]) -> list[int]:
    """How many items each run has; one that several runs asked counts for each."""
    counts = [0] * len(runs)
    for entry in entries:
        for run in {entry.run, *(columns[number].run for number in entry.cells)}:
            counts[run] += 1
    return counts


def _picks(runs: Sequence[RunView]) -> list[tuple[RunView, list[Cell]]]:
    """Cells that say how often each choice was taken."""
    return [(run, [cell for cell in run.results.cells if sum(cell.picks)]) for run in runs]


def _overlap(runs: Sequence[RunView]) -> list[tuple[RunView, Sequence[SharedItems]]]:
    """What each run's methods learned from that is also asked; runs that never looked are left out."""
    return [(run, run.results.overlap) for run in runs if run.results.overlap]
