"""Which columns stand in which section of a table of scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from lensbench.reporting.tables.gather import Block, backbone_title
from lensbench.reporting.tables.schema import Measure, ScoreTable
from lensbench.reporting.tables.table_columns import TableColumn, table_columns

__all__ = ["Layout", "Part", "layout_of_spec"]


@dataclass(frozen=True)
class Part:
    """What one section shows.

    Attributes:
        grouped: Whether the groups of the columns are printed; else the title says them.
        remarks: Sentences below the section.
    """

    title: str
    columns: list[TableColumn]
    grouped: bool = False
    remarks: list[str] = field(default_factory=list)


Layout = Callable[[ScoreTable, Block, Sequence[Measure]], list[Part]]
"""The sections of a block, for these measures."""


def layout_of_spec(spec: ScoreTable, block: Block, measures: Sequence[Measure]) -> list[Part]:
    """As the spec has it: measures side by side, or a section for each with the languages side by side."""
    if spec.columns == "measures":
        return [Part(block.title, table_columns(spec, block, measures), grouped=True)]
    backbone = backbone_title(block.runs[0].results.backbone)
    return [Part(f"{m.title}, {backbone}{block.apart}", table_columns(spec, block, [m])) for m in measures]
