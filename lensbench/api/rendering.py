"""Text tables and sentences of results, the same for a terminal and a notebook."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lensbench.errors import in_words
from lensbench.printable import printable

if TYPE_CHECKING:
    from lensbench.numbers.answered import AnsweredMatrix
    from lensbench.numbers.cell import Cell
    from lensbench.numbers.degenerate import DegenerateAnswers
    from lensbench.numbers.off_target import OffTarget
    from lensbench.numbers.run_results import Results
    from lensbench.records import RunFolder
    from lensbench.records.missing import MissingRecords

__all__ = ["TextTable", "View", "damage_notes", "fidelity_view", "missing_lines", "results_view", "short_judge"]


@dataclass(frozen=True)
class TextTable:
    """A table of text.

    Attributes:
        right: Names of the columns that are aligned right.
        keys: Number of leading columns that say what a row is of; where they repeat, a terminal leaves them out.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    title: str | None = None
    right: frozenset[str] = frozenset()
    keys: int = 0

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{_escaped(name)}</th>" for name in self.header)
        body = "".join(f"<tr>{''.join(self._cells(row))}</tr>" for row in self.rows)
        caption = f"<caption>{_escaped(self.title)}</caption>" if self.title is not None else ""
        return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

    def _cells(self, row: Sequence[str]) -> Iterator[str]:
        for name, value in zip(self.header, row, strict=True):
            style = ' style="text-align:right"' if name in self.right else ""
            yield f"<td{style}>{_escaped(value)}</td>"


@dataclass(frozen=True)
class View:
    """Tables and sentences in the order in which they are read. A sentence that begins with `!` is a warning."""

    blocks: Sequence[TextTable | str]

    @property
    def tables(self) -> list[TextTable]:
        return [block for block in self.blocks if isinstance(block, TextTable)]

    @property
    def notes(self) -> list[str]:
        return [block for block in self.blocks if isinstance(block, str)]

    def _repr_html_(self) -> str:
        parts = (b._repr_html_() if isinstance(b, TextTable) else f"<p>{_escaped(b)}</p>" for b in self.blocks)
        return f"<div>{''.join(parts)}</div>"


def _escaped(text: object) -> str:
    """Text of files and models as text: neither HTML nor control characters reach the page."""
    return html.escape(printable(in_words(str(text)), one_line=True))


_RESULTS_HEADER = ("task", "lang", "metric", "variant", "value", "95%", "diff to base", "95%", "p", "n", "failures", "verdict")
_RIGHT = frozenset({"value", "diff to base", "p", "n", "failures"})


def results_view(results: Results, *, everything: bool = False) -> View:
    """The tables of a run, and the notes that belong to them.

    Args:
        everything: Also further units of fidelity and ratings by category.
    """
    from lensbench.reporting.text.cost import COST_HEADER, cost_rows
    from lensbench.reporting.text.statistics import AVERAGES_HEADER, AVERAGES_NOTE, average_rows
    from lensbench.reporting.text.table import notes, table_lines

    rows = [
        (
            line.task,
            line.language,
            line.metric,
            line.variant,
            line.value,
            line.interval,
            line.delta,
            line.delta_interval,
            line.p_value,
            line.n,
            line.failures,
            line.verdict,
        )
        for line in table_lines(results, everything=everything)
    ]
    blocks: list[TextTable | str] = [TextTable(_RESULTS_HEADER, rows, right=_RIGHT, keys=3)]
    averages = average_rows(results)
    if averages:
        blocks += [TextTable(AVERAGES_HEADER, averages), AVERAGES_NOTE]
    if results.costs:
        blocks.append(TextTable(COST_HEADER, cost_rows(results.costs)))
    return View([*blocks, *notes(results)])


def fidelity_view(
    identifier: str,
    cells: Sequence[Cell],
    matrices: Sequence[AnsweredMatrix],
    off_target: Sequence[OffTarget],
    degenerate: Sequence[DegenerateAnswers],
) -> View:
    """Every unit of fidelity, the counts beside it, and where the answers went, for one identifier."""
    from lensbench.reporting.text.fidelity import counts_table, fidelity_table
    from lensbench.reporting.text.matrix import matrix_table, with_base
    from lensbench.reporting.text.table import unscored_notes

    blocks: list[TextTable | str] = [f"% of questions (answers) in the asked language, by {identifier}"]
    blocks += [TextTable(*fidelity_table(cells)), *unscored_notes(cells)]
    if off_target:
        blocks += ["number of answers, all turns", TextTable(*counts_table(off_target, degenerate))]
    for matrix, base in with_base(matrices):
        title, header, rows = matrix_table(matrix, base)
        blocks += [title, TextTable(header, rows)]
    return View(blocks)


def damage_notes(folder: RunFolder) -> list[str]:
    """Lines of a run's item files that were left out so far."""
    found = []
    for damage in folder.damage:
        if damage.skipped:
            lines = f"{len(damage.skipped)} damaged line{'s' if len(damage.skipped) > 1 else ''}"
            named = ", ".join(map(str, damage.skipped[:5])) + (" ..." if len(damage.skipped) > 5 else "")
            found.append(f"! {folder.path}/items/{damage.file}: {lines} left out ({named})")
    return found


def missing_lines(missing: Sequence[MissingRecords]) -> list[str]:
    """One sentence for every file of a run that has fewer records than it should."""
    from lensbench.reporting.text.table import missing_notes

    return missing_notes(missing)


def short_judge(judge: str) -> str:
    """The name of a judge as records have it, without its model, which may be a long path."""
    from lensbench.records import Grader

    return Grader.parse(judge, "judge").short
