"""The results of a run as types: what `results.json` holds, read in one place with what older versions did not write."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lensbench.jsonio import JsonObject
from lensbench.numbers.answered import AnsweredMatrix
from lensbench.numbers.average import Average
from lensbench.numbers.cell import Cell
from lensbench.numbers.degenerate import DegenerateAnswers
from lensbench.numbers.judging_notes import JudgingNote
from lensbench.numbers.off_target import OffTarget
from lensbench.numbers.pairs import Pair
from lensbench.numbers.picking.picked import Picked
from lensbench.numbers.seed_groups import SeedGroup
from lensbench.records import TaskKey
from lensbench.records.damage import Damage
from lensbench.records.described import TaskFacts, VariantFacts
from lensbench.records.fit_card import FitCost
from lensbench.records.from_object import from_object
from lensbench.records.missing import MissingRecords

__all__ = ["Results", "SharedItems", "read_results"]


@dataclass(frozen=True)
class SharedItems:
    """How many items of a task in a language share a word sequence with what a method learned from."""

    method: str
    task: str
    language: str
    items: int
    sharing: int
    variant: str | None = None
    """The variant that learned; None where an older version named the method only."""
    examples: tuple[Any, ...] = ()
    """Row number and word sequence of some of them."""

    @property
    def learner(self) -> str:
        """The variant, or its method where the variant is not recorded."""
        return self.variant or self.method


@dataclass(frozen=True)
class Results:
    """All numbers of a run, and what must be known to read them."""

    backbone: str
    backbone_origin: Mapping[str, Any]
    """Kind, name, digest and further facts of its weights; empty where they are not recorded."""
    lensbench: str | None
    """Version that made the numbers; None, as below, where it is not recorded."""
    dtype: str | None
    device: str | None
    variants: Mapping[str, VariantFacts]
    failed: Mapping[str, str]
    """Variant that could not be fitted -> why."""
    tasks: Mapping[TaskKey, TaskFacts]
    """By task and language; the keys name no profile."""
    gaps: tuple[str, ...]
    """What has no number, and why."""
    cells: tuple[Cell, ...]
    averages: tuple[Average, ...]
    pairs: tuple[Pair, ...]
    """Enhanced variants against each other, on the endpoints; empty of an older version."""
    seed_groups: tuple[SeedGroup, ...]
    """Settings that were fitted with several seeds; empty of an older version."""
    margins: Mapping[str, float]
    """Question of an endpoint (`Basis.asks`) -> loss in English that counts as none; empty of an older version."""
    unnamed: Mapping[str, int]
    """`TASK/LANGUAGE` -> items that name no source item."""
    matrices: tuple[AnsweredMatrix, ...]
    off_target: tuple[OffTarget, ...]
    """Empty, as is the next, where an older version made the numbers."""
    degenerate: tuple[DegenerateAnswers, ...]
    judging: tuple[JudgingNote, ...]
    costs: Mapping[str, FitCost]
    """Variant -> what its fit took."""
    overlap: tuple[SharedItems, ...]
    missing: tuple[MissingRecords, ...]
    damaged: tuple[Damage, ...]
    picked: Picked | None = None
    """The choice of a setting of each method; None of a run without a rule, and of an older version. With it, all other numbers
    are of the test items."""

    @property
    def left_out(self) -> frozenset[str]:
        """Variants that were tried and not chosen: their numbers are exploratory, and the run does not speak of them."""
        return frozenset(self.picked.left_out if self.picked is not None else ())

    def called(self, variant: str) -> str:
        """A variant as tables of all variants call it."""
        return f"{variant} (not chosen)" if variant in self.left_out else variant

    def task_of(self, cell: Cell) -> TaskFacts:
        """What is known of the task that a cell is of."""
        return self.tasks[cell.key]

    def titles(self) -> dict[str, str]:
        """Task -> its title."""
        return {key.task: facts.title for key, facts in self.tasks.items()}


def read_results(content: JsonObject) -> Results:
    """Results from the content of `results.json`, be it of an older version."""
    return Results(
        backbone=content["backbone"],
        backbone_origin=content.get("backbone_origin") or {},
        lensbench=content.get("lensbench"),
        dtype=content.get("dtype"),
        device=content.get("device"),
        variants={name: VariantFacts.of(about) for name, about in content["variants"].items()},
        failed=content.get("failed") or {},
        tasks={(key := TaskKey.parse(text)): TaskFacts.of(key, about) for text, about in content["tasks"].items()},
        gaps=tuple(content.get("gaps", ())),
        cells=tuple(map(Cell.of, content["cells"])),
        averages=tuple(map(Average.of, content.get("averages", ()))),
        pairs=tuple(map(Pair.of, content.get("pairs", ()))),
        seed_groups=tuple(map(SeedGroup.of, content.get("seed_groups", ()))),
        margins=content.get("margins") or {},
        unnamed=content.get("unnamed", {}),
        matrices=tuple(map(AnsweredMatrix.of, content.get("matrices") or ())),
        off_target=tuple(map(OffTarget.of, content.get("off_target") or ())),
        degenerate=tuple(map(DegenerateAnswers.of, content.get("degenerate") or ())),
        judging=tuple(map(JudgingNote.of, content.get("judging", ()))),
        costs={name: FitCost.of(cost) for name, cost in (content.get("costs") or {}).items()},
        overlap=tuple(from_object(SharedItems, entry) for entry in content.get("overlap", ())),
        missing=tuple(from_object(MissingRecords, entry) for entry in content.get("missing", ())),
        damaged=tuple(
            Damage(harm["file"], list(harm["skipped"]), list(harm.get("repaired", ()))) for harm in content.get("damaged", ())
        ),
        picked=Picked.of(content["pick"]) if content.get("pick") is not None else None,
    )
