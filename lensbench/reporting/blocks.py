"""Blocks: a task's languages side by side, and what every variant has there. Unlike protocols never share a block."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lensbench.languages import languages
from lensbench.metrics import Metric, metric_of
from lensbench.numbers.average import Average
from lensbench.numbers.cell import Cell
from lensbench.numbers.headline import table_cells
from lensbench.numbers.run_results import Results
from lensbench.reporting.columns import Column
from lensbench.reporting.run_view import RunView
from lensbench.reporting.text.cell_text import metric_name
from lensbench.reporting.text.table import Line, table_line

__all__ = ["MARKS", "Block", "BlockCell", "blocks_of", "language_name"]

MARKS = {"better": "▲", "worse": "▼", "differs": "≠", "not distinguishable": "≈"}
"""Verdict -> its mark. Nothing else is marked: a single cell has no verdict."""


@dataclass(frozen=True)
class BlockCell:
    """One number of a block.

    Attributes:
        number: A cell, or an average over the tasks of a language.
        n, planned, failures, states: As in a cell; of an average, those of its cells together.
        line: Its text; None of an average.
    """

    number: Cell | Average
    n: int
    planned: int
    failures: int | None
    states: Mapping[str, int]
    line: Line | None = None

    @classmethod
    def of(cls, cell: Cell, line: Line | None = None) -> BlockCell:
        return cls(cell, cell.n, cell.planned, cell.failures, cell.states, line)


@dataclass
class Block:
    """One metric of one task under one protocol.

    Attributes:
        cells: (column, language) -> the number there.
        note: Why a run stands apart from the block of the same task before it; "" for the first.
    """

    task: str
    title: str
    profile: str
    metric: Metric
    name: str
    note: str = ""
    languages: list[str] = field(default_factory=list)
    columns: list[int] = field(default_factory=list)
    cells: dict[tuple[int, str], BlockCell] = field(default_factory=dict)
    protocols: dict[str, tuple[str, str]] = field(default_factory=dict)

    def chance(self, language: str) -> float | None:
        """Score of a blind guess in a language; None where none is known, or runs differ in it."""
        found = {c.number.chance for (_, code), c in self.cells.items() if code == language and isinstance(c.number, Cell)}
        return found.pop() if len(found) == 1 else None


def shown_lines(results: Results) -> list[tuple[Line, Cell]]:
    """The lines of the one table, each with its cell."""
    return [(table_line(results, cell), cell) for cell in table_cells(results.cells)]


def blocks_of(runs: Sequence[RunView], columns: Sequence[Column]) -> list[Block]:
    """All blocks, by profile and task in the order of the runs."""
    place = {(column.run, column.variant): number for number, column in enumerate(columns)}
    families: dict[tuple[str, str, str, str], list[Block]] = defaultdict(list)
    for number, run in enumerate(runs):
        own: dict[tuple[str, str, str, str], list[tuple[Line, Cell]]] = defaultdict(list)
        for line, cell in shown_lines(run.results):
            own[cell.profile, cell.task, cell.metric, cell.source].append((line, cell))
        for key, pairs in own.items():
            asked = {cell.language: _asked(run.results, cell) for _, cell in pairs}
            block = next((b for b in families[key] if _alike(b.protocols, asked)), None)
            if block is None:
                line, cell = pairs[0]
                note = (
                    f"{run.label}: other rows or another protocol, so not comparable with the table before"
                    if families[key]
                    else ""
                )
                block = Block(key[1], line.task, key[0], metric_of(cell), metric_name(cell), note)
                families[key].append(block)
            block.protocols.update(asked)
            for line, cell in pairs:
                column = place[number, cell.variant]
                block.cells[column, cell.language] = BlockCell.of(cell, line)
                if cell.language not in block.languages:
                    block.languages.append(cell.language)
                if column not in block.columns:
                    block.columns.append(column)
    return [block for family in families.values() for block in family]


def language_name(code: str) -> str:
    """`Chinese (zh)`; the code alone for a language of which nothing is known."""
    known = languages().get(code)
    return f"{known.name} ({code})" if known else code


def _asked(results: Results, cell: Cell) -> tuple[str, str]:
    facts = results.task_of(cell)
    return str(facts.protocol), facts.rows_digest


def _alike(one: dict[str, tuple[str, str]], other: dict[str, tuple[str, str]]) -> bool:
    return all(one[language] == other[language] for language in one.keys() & other.keys())
