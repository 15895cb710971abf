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
from lensbench.numbers.verdict import VERDICTS, Verdict
from lensbench.reporting.columns import Column
from lensbench.reporting.run_view import RunView
from lensbench.reporting.text.cell_text import metric_name
from lensbench.reporting.text.table import Line, table_line

__all__ = ["MARKS", "Block", "BlockCell", "Sentence", "blocks_of", "headline", "language_name"]

MARKS = {"better": "▲", "worse": "▼", "differs": "≠", "not distinguishable": "≈", "exploratory": ""}


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

    @property
    def detectable(self) -> float | None:
        """The largest of the smallest differences that the cells can show; None where they do not say."""
        found = [size for cell in self.cells.values() if (size := cell.number.smallest_detectable) is not None]
        return max(found) if found else None

    @property
    def detectable_text(self) -> str:
        """That difference in the unit of the metric."""
        unit = self.metric.unit
        return "" if self.detectable is None else unit.text(self.detectable) + unit.difference


@dataclass(frozen=True)
class Sentence:
    """The headline of one variant in one language: verdict -> what it is about."""

    language: str
    column: int
    verdicts: dict[Verdict, list[str]]


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


def headline(runs: Sequence[RunView], columns: Sequence[Column]) -> list[Sentence]:
    """For every language and every enhanced variant: what is better, worse, or not distinguishable."""
    place = {(column.run, column.variant): number for number, column in enumerate(columns)}
    found: dict[tuple[str, int], dict[Verdict, list[str]]] = {}
    for number, run in enumerate(runs):
        for line, cell in shown_lines(run.results):
            if cell.verdict is not None:
                verdicts = found.setdefault((line.language, place[number, line.variant]), {})
                verdicts.setdefault(cell.verdict, []).append(f"{line.task}{_what(cell)} {line.delta}")
    order = list(dict.fromkeys(language for language, _ in found))
    return [
        Sentence(language, column, {v: verdicts[v] for v in sorted(verdicts, key=_rank)})
        for (language, column), verdicts in sorted(found.items(), key=lambda pair: (order.index(pair[0][0]), pair[0][1]))
    ]


def language_name(code: str) -> str:
    """`Chinese (zh)`; the code alone for a language of which nothing is known."""
    known = languages().get(code)
    return f"{known.name} ({code})" if known else code


def _what(cell: Cell) -> str:
    """Says what is meant where a task has several metrics."""
    mark = metric_of(cell).mark
    return f" ({mark})" if mark else ""


def _rank(verdict: Verdict) -> int:
    # A newer version may have further ones.
    return VERDICTS.index(verdict) if verdict in VERDICTS else len(VERDICTS)


def _asked(results: Results, cell: Cell) -> tuple[str, str]:
    facts = results.task_of(cell)
    return str(facts.protocol), facts.rows_digest


def _alike(one: dict[str, tuple[str, str]], other: dict[str, tuple[str, str]]) -> bool:
    return all(one[language] == other[language] for language in one.keys() & other.keys())
