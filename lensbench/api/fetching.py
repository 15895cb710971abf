"""Download of everything that a run reads, for machines without a network."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Unpack

from lensbench.api.arguments import known_arguments
from lensbench.api.planning import needs_blocks, not_pinned
from lensbench.api.rendering import Block, View
from lensbench.api.reporting_to import progress_or_default
from lensbench.api.requests import RunChoices, run_request
from lensbench.errors import RunError
from lensbench.jsonio import JsonObject
from lensbench.progress import Progress

if TYPE_CHECKING:
    from lensbench.plan.fetch import Need

__all__ = ["Fetched", "fetch"]


@dataclass(frozen=True)
class Fetched:
    """Files that a run reads from the hub, and which of them are already downloaded."""

    needs: Sequence[Need]
    gaps: Sequence[str]

    def check(self) -> None:
        """
        Raises:
            RunError: something was not available.
        """
        failed = [need for need in self.needs if need.problem is not None]
        if failed:
            raise RunError(f"{len(failed)} of {len(self.needs)} are not available", failed[0].problem)

    def view(self) -> View:
        from lensbench.hub import size_text

        blocks: list[Block] = [*needs_blocks(self.needs, "was here")]
        blocks += [f"not available: {gap}" for gap in self.gaps]
        # Languages of one table share their file.
        fetched = [need for need in self.needs if need.problem is None]
        distinct = {(need.place, need.commit, *(need.files[1] if need.files else ())): need for need in fetched}.values()
        new = sum((need.bytes or 0) - (need.here or 0) for need in distinct)
        total = sum(need.bytes or 0 for need in distinct)
        size = f"{size_text(total)} for this run are here, {size_text(new)} of them new"
        return View([*blocks, *not_pinned(self.needs), size])

    def as_dict(self) -> JsonObject:
        return {"needs": [need.as_dict() for need in self.needs], "gaps": list(self.gaps)}

    def _repr_html_(self) -> str:
        return self.view()._repr_html_()


def fetch(backbone: str | os.PathLike[str], *, progress: Progress | None = None, **choices: Unpack[RunChoices]) -> Fetched:
    """Download what `evaluate` with these arguments would read from the hub. What is here already is not fetched again.

    Args:
        choices: As for `evaluate`.

    Returns:
        What is here now; `check()` raises where something was not available.

    Raises:
        UsageError: as `evaluate`.
    """
    from lensbench.hub import shown_by
    from lensbench.plan.fetch import fetch_needs, read_needs
    from lensbench.plan.plan import make_plan
    from lensbench.quiet import quiet_libraries

    known_arguments(choices, fetch, more=RunChoices.__annotations__)
    plan = make_plan(run_request(backbone, choices))
    quiet_libraries()
    with shown_by(progress_or_default(progress)):
        needs = list(read_needs(plan))
        fetch_needs([need for need in needs if need.problem is None])
    return Fetched(needs, plan.gaps)
