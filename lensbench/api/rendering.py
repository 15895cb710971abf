"""Text tables and sentences of results, the same for a terminal and a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lensbench.textblocks import Question, TextTable, escaped

if TYPE_CHECKING:
    from lensbench.numbers.answered import AnsweredMatrix
    from lensbench.numbers.cell import Cell
    from lensbench.numbers.degenerate import DegenerateAnswers
    from lensbench.numbers.off_target import OffTarget
    from lensbench.numbers.run_results import Results
    from lensbench.records import RunFolder
    from lensbench.records.missing import MissingRecords
    from lensbench.reporting.run_view import RunView

__all__ = [
    "Block",
    "Question",
    "TextTable",
    "View",
    "answer_view",
    "damage_notes",
    "fidelity_view",
    "missing_lines",
    "results_view",
    "short_judge",
]

_WARNINGS = 6
"""Warnings under the first screen; the hint after it says how many there are."""

Block = TextTable | Question | str
"""One part of a view."""


@dataclass(frozen=True)
class View:
    """Tables and sentences in the order in which they are read. A sentence that begins with `!` is a warning."""

    blocks: Sequence[Block]

    @property
    def tables(self) -> list[TextTable]:
        return [block for block in self.blocks if isinstance(block, TextTable)]

    @property
    def notes(self) -> list[str]:
        return [block for block in self.blocks if isinstance(block, str)]

    def _repr_html_(self) -> str:
        parts = (f"<p>{escaped(b)}</p>" if isinstance(b, str) else b._repr_html_() for b in self.blocks)
        return f"<div>{''.join(parts)}</div>"


def results_view(results: Results, *, everything: bool = False) -> View:
    """Every number of a run: cells, averages, variants against each other, costs, and the notes that belong to them.

    Args:
        everything: Also further units of fidelity and ratings by category.
    """
    from lensbench.reporting.text.cost import COST_HEADER, cost_rows
    from lensbench.reporting.text.fidelity import counts_table
    from lensbench.reporting.text.result_tables import averages_tables, cells_table, pairs_table
    from lensbench.reporting.text.statistics import AVERAGES_NOTE
    from lensbench.reporting.text.table import notes

    blocks: list[Block] = [cells_table(results, everything=everything)]
    for identifier in dict.fromkeys(one.identifier for one in results.off_target):
        own = [one for one in results.off_target if one.identifier == identifier]
        header, rows = counts_table(own, results.degenerate)
        title = f"Answers by {identifier}, all turns, in numbers"
        blocks.append(TextTable(header, rows, title, right=frozenset(header[3:]), keys=3))
    averages = averages_tables(results)
    if averages:
        blocks += [*averages, AVERAGES_NOTE]
    pairs = pairs_table(results)
    if pairs is not None:
        blocks.append(pairs)
    if results.costs:
        blocks.append(TextTable(COST_HEADER, cost_rows(results.costs), "Cost", keys=1))
    return View([*blocks, *notes(results)])


def answer_view(run: RunView, *, everything: bool = False) -> View:
    """What a run says first: what voids its numbers, four questions with their sentences, and the endpoints as a table.

    A run without endpoints, such as one of an older version, shows its cells instead.

    Args:
        everything: Also the languages of endpoints on which no variant differs, every variant, and a table of the settings.
    """
    from lensbench.reporting.answer import FLOWING, answer_of
    from lensbench.reporting.text.answer_tables import endpoint_table, language_tables
    from lensbench.reporting.text.pick_table import pick_table
    from lensbench.reporting.text.result_tables import cells_table
    from lensbench.reporting.text.settings_table import settings_tables
    from lensbench.reporting.text.table import warnings

    answer = answer_of(run, everything=everything)
    blocks: list[Block] = [f"! {statement.whole}" for statement in answer.voids]
    for title, said in answer.questions:
        sentences = tuple((one.whole, one.tone) for one in said)
        # Facts of the run, and what each fit took, read as well in one paragraph.
        flowing = title in FLOWING
        blocks.append(Question(title, sentences, flowing))
    endpoints = endpoint_table(answer)
    if endpoints is not None:
        blocks.append(endpoints)
    if answer.rows.left_out:
        blocks.append(f"{answer.rows.left_out} (``everything=True`` shows them).")
    blocks += language_tables(answer, everything=everything)
    if everything:
        blocks += settings_tables(run.sweep_table, answer.measures)
    candidates = pick_table(run.results)
    if candidates is not None:
        blocks.append(candidates)
    if endpoints is None and not everything:
        blocks.append(cells_table(run.results))
    if not everything:
        # Where everything is shown, the notes beside it hold all of them.
        blocks += warnings(run.results)[:_WARNINGS]
    return View(blocks)


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

    blocks: list[Block] = [f"% of questions (answers) in the asked language, by {identifier}"]
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
