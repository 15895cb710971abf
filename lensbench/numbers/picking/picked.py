"""What was chosen, by which rule, from which items: the part `pick` of `results.json`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from lensbench.jsonio import JsonObject
from lensbench.numbers.average import Retention
from lensbench.numbers.picking.sides import SplitCount
from lensbench.records.from_object import from_object

__all__ = ["Admission", "Candidate", "EnglishNumbers", "MethodPick", "MethodState", "Picked", "SideNumbers"]

Admission = Literal["admissible", "not measured", "english not measured", "english below the margin"]
"""Whether a setting may be chosen. "not measured": a seed of it has no difference to `base` in every cell of the endpoint."""

MethodState = Literal["chosen", "none admissible", "not measured", "one setting"]
"""What came of the choice. "one setting": there was nothing to choose, and the setting is reported as it is."""


@dataclass(frozen=True)
class SideNumbers:
    """The endpoint of one setting on one side: means over its seeds, with 95% intervals; None where there is no such number.

    Attributes:
        value, low, high: Mean over the target languages. The interval covers the choice of items.
        delta, delta_low, delta_high: Mean difference to `base`. The interval covers the choice of items and, with several seeds,
            of seeds.
        measured: Seeds that have a difference in every cell.
        n: Scores of one seed. clusters: Source items.
    """

    measured: int = 0
    n: int = 0
    clusters: int = 0
    value: float | None = None
    low: float | None = None
    high: float | None = None
    delta: float | None = None
    delta_low: float | None = None
    delta_high: float | None = None


@dataclass(frozen=True)
class EnglishNumbers:
    """The difference to `base` in English of one setting on one side.

    Attributes:
        retention: Whether English was kept; as of an average (`lensbench.numbers.english`). It decides nothing here: development
            items are few, and their interval rarely rules out a loss as large as the margin.
    """

    measured: int = 0
    delta: float | None = None
    delta_low: float | None = None
    delta_high: float | None = None
    at_worst: float | None = None
    retention: Retention | None = None


@dataclass(frozen=True)
class Candidate:
    """One setting of a method that could be chosen.

    Attributes:
        setting: Its name; of several seeds, what the variants' names have in common.
        differs: Key -> value of the settings in which the method's candidates differ.
        seeds: Empty of a fit without a seed.
    """

    setting: str
    method: str
    variants: tuple[str, ...]
    seeds: tuple[int, ...]
    differs: Mapping[str, Any]
    development: SideNumbers
    test: SideNumbers
    english_development: EnglishNumbers
    english_test: EnglishNumbers
    admission: Admission
    chosen: bool = False

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> Candidate:
        sides = {name: from_object(SideNumbers, content[name]) for name in ("development", "test")}
        english = {name: from_object(EnglishNumbers, content[name]) for name in ("english_development", "english_test")}
        return from_object(cls, content, **sides, **english)


@dataclass(frozen=True)
class MethodPick:
    """What came of the choice for one method.

    Attributes:
        setting: The chosen one, or the only one; None where nothing was chosen.
        variants: Those that report it, all seeds of the setting.
        tied: Settings with the same development mean as the chosen one; the first in the order of the run was taken.
        optimism: Development less test difference of the chosen setting, in the direction that is better: by how much the items
            that chose it flatter it. The interval, 95%, is of the test items: the development number is known.
    """

    method: str
    state: MethodState
    tried: int
    setting: str | None = None
    variants: tuple[str, ...] = ()
    tied: tuple[str, ...] = ()
    optimism: float | None = None
    optimism_low: float | None = None
    optimism_high: float | None = None


@dataclass(frozen=True)
class Picked:
    """The choice of a run.

    Attributes:
        rule: As a user writes it.
        version: Of the division of source items.
        before_results: Whether rule and margin were set before the run had results.
        endpoint: "accuracy", "language" or "rating".
        profile, metric, unit, source, higher_is_better, cells: What was compared; None and empty where the development items have
            no number of the endpoint.
        english_cells: Its cells in English; empty where English was not asked, so that nothing is demanded of it.
        margin: The loss in English from which on a setting is not chosen; None where none is demanded.
        counts: Source items on each side.
    """

    rule: str
    share: float
    version: int
    before_results: bool
    endpoint: str
    counts: tuple[SplitCount, ...]
    methods: tuple[MethodPick, ...]
    candidates: tuple[Candidate, ...]
    profile: str | None = None
    metric: str | None = None
    unit: str | None = None
    source: str | None = None
    higher_is_better: bool | None = None
    cells: tuple[str, ...] = ()
    english_cells: tuple[str, ...] = ()
    margin: float | None = None
    left_out: tuple[str, ...] = field(default=())
    """Variants that were tried and not chosen."""

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> Picked:
        """A choice as it stands in `results.json`."""
        return from_object(
            cls,
            content,
            counts=tuple(from_object(SplitCount, one) for one in content["counts"]),
            methods=tuple(from_object(MethodPick, one) for one in content["methods"]),
            candidates=tuple(map(Candidate.of, content["candidates"])),
        )

    def as_dict(self) -> JsonObject:
        return asdict(self)

    def candidates_of(self, method: str) -> list[Candidate]:
        return [one for one in self.candidates if one.method == method]
