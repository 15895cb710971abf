"""The runs of a report: their results, their records, and the columns they become."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from lensbench.jsonio import JsonObject
from lensbench.records import Record, RunFolder
from lensbench.records.damage import Damage

__all__ = ["Column", "ReportRun", "columns_of", "name_runs"]

BASE = "base"

R = TypeVar("R", bound=Record)


@dataclass
class ReportRun:
    """One run as a report reads it.

    Attributes:
        results: Content of `results.json`.
        label: What the report calls the run; "" where it is the only one.
    """

    folder: RunFolder
    results: JsonObject
    label: str = ""

    @property
    def title(self) -> str:
        """The enhanced variants on the backbone."""
        enhanced = [name for name in self.results["variants"] if name != BASE]
        return f"{' + '.join(enhanced) or 'Base only'} on {self.results['backbone']}"

    @cached_property
    def finished(self) -> bool:
        """Whether the run got to its end: results are stored, and nothing that was planned is missing."""
        return (
            not self.results.get("missing")
            and self.folder.has("results.json")
            and all(cell["n"] >= cell["planned"] for cell in self.results["cells"])
        )

    @cached_property
    def provenance(self) -> JsonObject:
        found: JsonObject = self.folder.read_json("provenance.json") if self.folder.has("provenance.json") else {"starts": []}
        return found

    @cached_property
    def judging(self) -> list[JsonObject]:
        found = self.folder.read_json("judging.json") if self.folder.has("judging.json") else []
        return found if isinstance(found, list) else [found]

    @property
    def damage(self) -> list[Damage]:
        """What was left out of the run's item files."""
        return self.folder.damage

    def records(self, kind: type[R]) -> Iterator[R]:
        """Records of one kind."""
        return self.folder.records(kind)


@dataclass(frozen=True)
class Column:
    """One variant of one run: what stands beside the others for every item."""

    run: int
    variant: str
    label: str
    base: int | None
    """Column of the untouched backbone of the same run; None for the backbone itself, or where it was not asked."""
    colour: int
    """0 for every backbone, then 1 to 7 in turn."""


def columns_of(runs: Sequence[ReportRun]) -> list[Column]:
    """A column for every variant of every run; a run's base comes first."""
    columns: list[Column] = []
    for number, run in enumerate(runs):
        variants = sorted(run.results["variants"], key=lambda name: name != BASE)
        first = len(columns) if variants and variants[0] == BASE else None
        for variant in variants:
            label = f"{run.label} · {variant}" if run.label else variant
            enhanced = sum(column.variant != BASE for column in columns)
            colour = 0 if variant == BASE else 1 + enhanced % 7
            columns.append(Column(number, variant, label, None if variant == BASE else first, colour))
    return columns


def name_runs(paths: Sequence[Path]) -> list[str]:
    """A letter and the folder's name for each run; nothing for a single one."""
    if len(paths) == 1:
        return [""]
    return [f"{chr(ord('A') + number) if number < 26 else number + 1} {path.resolve().name}" for number, path in enumerate(paths)]
