"""Tables on the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from lensbench.cli.terminal import echo, echo_json
from lensbench.printable import printable

if TYPE_CHECKING:
    from lensbench.records import RunFolder

__all__ = ["MARKS", "print_fidelity", "print_json", "print_results", "print_table", "tell_damage"]

_WIDE = 200
"""Columns assumed where stdout is no terminal: a piped table should not be folded."""


MARKS = {"better": "▲ better", "worse": "▼ worse", "differs": "≠ differs", "not distinguishable": "≈ not distinguishable"}


def console() -> Console:
    found = Console()
    return found if found.is_terminal else Console(width=_WIDE)


def tell_damage(folder: RunFolder) -> None:
    """Say on stderr which lines of a run's item files were left out."""
    for damage in folder.damage:
        if damage.skipped:
            lines = f"{len(damage.skipped)} damaged line{'s' if len(damage.skipped) > 1 else ''}"
            named = ", ".join(map(str, damage.skipped[:5])) + (" ..." if len(damage.skipped) > 5 else "")
            echo(f"! {folder.path}/items/{damage.file}: {lines} left out ({named})", err=True)


def print_json(content: Any) -> None:
    echo_json(content)


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]], title: str | None = None) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.text import Text

    # Given as Text: rich reads `[...]` in strings as markup.
    said = None if title is None else Text(printable(title, one_line=True))
    table = Table(title=said, box=SIMPLE_HEAD, title_justify="left", pad_edge=False)
    for name in header:
        table.add_column(Text(printable(name, one_line=True)))
    for row in rows:
        table.add_row(*(Text(printable(value, one_line=True)) for value in row))
    console().print(table, markup=False)


def print_results(results: dict[str, Any], *, everything: bool = False) -> None:
    """The table of a run, with the notes that belong to it."""
    from rich.box import SIMPLE_HEAD
    from rich.text import Text

    from lensbench.reporting.text.cost import COST_HEADER, cost_rows
    from lensbench.reporting.text.statistics import AVERAGES_HEADER, AVERAGES_NOTE, average_rows
    from lensbench.reporting.text.table import notes, table_lines

    out = console()
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name, justify in (
        ("task", "left"),
        ("lang", "left"),
        ("metric", "left"),
        ("variant", "left"),
        ("value", "right"),
        ("95%", "left"),
        ("diff to base", "right"),
        ("95%", "left"),
        ("p (Holm)", "right"),
        ("n", "right"),
        ("failures", "right"),
        ("", "left"),
    ):
        table.add_column(name, justify=justify, no_wrap=name in ("lang", "value", "n"))  # type: ignore[arg-type]
    before = None
    for line in table_lines(results, everything=everything):
        key = (line.task, line.language, line.metric)
        if before is not None and key != before:
            table.add_section() if key[0] != before[0] else None
        task, language, metric = ("", "", "") if key == before else (f"{line.task}", line.language, line.metric)
        table.add_row(
            *(
                Text(printable(v, one_line=True))
                for v in (
                    task,
                    language,
                    metric,
                    line.variant,
                    line.value,
                    line.interval,
                    line.delta,
                    line.delta_interval,
                    line.p_holm,
                    line.n,
                    line.failures,
                    MARKS.get(line.verdict, ""),
                )
            )
        )
        before = key
    out.print(table)
    averages = average_rows(results)
    if averages:
        print_table((*AVERAGES_HEADER[:-1], ""), [[*row[:-1], MARKS.get(row[-1], "")] for row in averages])
        out.print(Text(AVERAGES_NOTE, style="dim"))
    if results.get("costs"):
        print_table(COST_HEADER, cost_rows(results["costs"]))
    for note in notes(results):
        out.print(Text(printable(note), style="bold yellow" if note.startswith("!") else "dim"))


def print_fidelity(shown: dict[str, Any]) -> None:
    """Every unit of fidelity, and where the answers went, for one identifier."""
    from lensbench.reporting.text.fidelity import fidelity_table
    from lensbench.reporting.text.matrix import matrix_table, with_base
    from lensbench.reporting.text.table import unscored_notes

    echo(f"% of questions (answers) in the asked language, by {shown['identifier']}")
    print_table(*fidelity_table(shown["cells"]))
    for note in unscored_notes(shown["cells"]):
        echo(note)
    for matrix, base in with_base(shown["matrices"]):
        title, header, rows = matrix_table(matrix, base)
        echo(title)
        print_table(header, rows)
