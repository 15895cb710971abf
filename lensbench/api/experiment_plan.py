"""The plan of an experiment with several backbones: the plan of each run, and their sums."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lensbench.api.arguments import a_path, names
from lensbench.api.planning import RunPlan, plan_run
from lensbench.api.rendering import Block, TextTable, View
from lensbench.api.requests import RunChoices, default_folder, run_request
from lensbench.errors import LensbenchError, UsageError
from lensbench.jsonio import JsonObject
from lensbench.safenames import checked_name, folder_name

if TYPE_CHECKING:
    from lensbench.backbones import Backbone
    from lensbench.plan.plan import Plan
    from lensbench.plan.request import RunRequest
    from lensbench.records.experiment import Group

__all__ = ["ExperimentPlan", "PlannedGroup", "experiment_folder", "plan_backbones", "plan_groups", "share_of_budget"]


@dataclass(frozen=True)
class PlannedGroup:
    """One backbone of an experiment, looked up and checked."""

    group: Group
    request: RunRequest
    plan: Plan


@dataclass(frozen=True)
class ExperimentPlan:
    """What `evaluate_backbones` would do.

    Attributes:
        out: Folder of the experiment.
        runs: Plan of each run, by the name of its folder in `out`.
        max_usd: The most that judging may cost in all; None without a limit.
    """

    out: Path
    runs: Mapping[str, RunPlan]
    max_usd: float | None = None

    def check(self) -> None:
        """Refuse an experiment in which no run can begin.

        Raises:
            UnavailableError: something that a run reads is not available.
        """
        for name, run in self.runs.items():
            try:
                run.check()
            except LensbenchError as error:
                error.message = f"{name}: {error.message}"
                raise

    def as_dict(self) -> JsonObject:
        return {"out": str(self.out), "groups": {name: run.as_dict() for name, run in self.runs.items()}, "totals": self.totals()}

    def totals(self) -> JsonObject:
        """Sums over the runs. `items` is None where the rows of a task are not here yet.

        Files that several runs read from the hub count once in `bytes`; of what has no known size, nothing counts.
        """
        counts = [count for run in self.runs.values() for count in run.items]
        needs = {(need.place, need.commit, need.what): need.bytes or 0 for run in self.runs.values() for need in run.needs}
        return {
            "variants": sum(1 + len(run.spec.variant_names) for run in self.runs.values()),
            "fits": sum(len(run.spec.variants) for run in self.runs.values()),
            "items": None if None in counts else sum(count or 0 for count in counts),
            "scored_or_answered": None
            if None in counts
            else sum(sum(n or 0 for n in run.items) * (1 + len(run.spec.variant_names)) for run in self.runs.values()),
            "bytes": sum(needs.values()),
            "max_usd": self.max_usd,
        }

    def view(self) -> View:
        """All groups and their sums as a person reads them."""
        from lensbench.hub import size_text

        totals = self.totals()
        asked = totals["scored_or_answered"]
        known = "not known before the rows are fetched" if asked is None else f"{asked:,}"
        rows = [
            (
                name,
                run.spec.backbone,
                str(1 + len(run.spec.variant_names)),
                str(len(run.spec.variants)),
                "not known yet" if None in run.items else f"{sum(n or 0 for n in run.items):,}",
            )
            for name, run in self.runs.items()
        ]
        header = ("run", "backbone", "variants", "fits", "items")
        blocks: list[Block] = [
            f"experiment {self.out}",
            TextTable(header, rows, f"{len(self.runs)} backbones", right=frozenset(("variants", "fits", "items"))),
            f"in all: {totals['variants']} variants with base, {totals['fits']} fits, items to score or answer: {known}, "
            f"from the hub: {size_text(totals['bytes'])}",
        ]
        if self.max_usd is not None:
            each = share_of_budget(self.max_usd, len(self.runs))
            blocks.append(f"judging may cost {self.max_usd:g} USD at most, {each:.2f} for each backbone")
        for name, run in self.runs.items():
            blocks += ["", f"── {name} ──", *run.view().blocks]
        return View(blocks)

    def _repr_html_(self) -> str:
        return self.view()._repr_html_()


def plan_backbones(
    backbone: Sequence[str | os.PathLike[str]],
    *,
    out: str | os.PathLike[str] | None = None,
    max_usd: float | None = None,
    **choices: Any,
) -> ExperimentPlan:
    """What `evaluate_backbones` would do with these arguments: no model is loaded and no rows are downloaded.

    Args:
        backbone: Short names, hub ids or model folders.
        out: Folder of the experiment.
        max_usd: The most that judging may cost in all.
        choices: As for `plan_run`.

    Raises:
        UsageError: as `evaluate_backbones`.
    """
    further = {name: value for name, value in choices.items() if name not in RunChoices.__annotations__}
    groups = plan_groups(backbone, {name: value for name, value in choices.items() if name not in further})
    home = experiment_folder(groups, out)
    each = share_of_budget(max_usd, len(groups))
    runs = {
        one.group.folder: plan_run(one.group.backbone, out=home / one.group.folder, max_usd=each, **choices) for one in groups
    }
    return ExperimentPlan(home, runs, max_usd)


def plan_groups(backbone: Sequence[str | os.PathLike[str]], choices: Any) -> list[PlannedGroup]:
    """Plan the run of every backbone.

    Raises:
        UsageError: fewer than two backbones, two of the same checkpoint, `revision`, which is of one of them; or as `evaluate`,
            with the backbone in the message.
    """
    from lensbench.plan.plan import make_plan
    from lensbench.records.experiment import Group

    if isinstance(backbone, list | tuple):
        backbone = [os.fspath(one) if isinstance(one, os.PathLike) else one for one in backbone]
    wanted = names("backbone", backbone, "llama3-8b")
    if not wanted:
        raise UsageError("``backbone`` names no backbone", "Example: ``backbone=smollm2-135m``")
    if choices.get("revision") is not None and len(wanted) > 1:
        raise UsageError(
            "``revision`` is a commit of one backbone, and there are several", "Leave it out, or run them one by one."
        )
    found: list[PlannedGroup] = []
    checkpoints: dict[object, str] = {}
    for name in wanted:
        try:
            request = run_request(name, choices)
            plan = make_plan(request)
        except LensbenchError as error:
            if len(wanted) > 1:
                error.message = f"backbone '{name}': {error.message}"
            raise
        before = checkpoints.setdefault(_checkpoint(plan.backbone), name)
        if before != name or wanted.count(name) > 1:
            same = f"backbone '{name}' is named twice" if before == name else f"'{before}' and '{name}' are the same checkpoint"
            raise UsageError(same, "Name every backbone once.")
        taken = [one.group.folder for one in found]
        found.append(PlannedGroup(Group(_folder(plan.backbone, taken), name), request, plan))
    return found


def experiment_folder(groups: Sequence[PlannedGroup], out: str | os.PathLike[str] | None) -> Path:
    """The folder that was asked for, or one in `runs/` that the same choices give again."""
    if out is not None:
        return a_path("out", out)
    digest = hashlib.sha256("\n".join(one.plan.spec.digest for one in groups).encode()).hexdigest()[:10]
    first = default_folder(groups[0].plan.spec)
    own = groups[0].plan.spec
    head = first.name.removesuffix(f"-{own.digest}")
    return first.with_name(f"{head}-and-{len(groups) - 1}-more-{digest}")


def share_of_budget(max_usd: float | None, count: int) -> float | None:
    """What judging may cost for each of several backbones, so that all together stay within the limit."""
    return None if max_usd is None else max_usd / count


def _checkpoint(backbone: Backbone) -> object:
    """Equal for two names of one checkpoint."""
    if backbone.path is not None:
        return backbone.path.resolve()
    return (backbone.hub or backbone.backbone).lower(), backbone.revision


def _folder(backbone: Backbone, taken: Sequence[str]) -> str:
    name = checked_name(folder_name(backbone.backbone.rstrip("/").split("/")[-1]), "run", backbone.title)
    number = 1
    while (name if number == 1 else f"{name}-{number}") in taken:
        number += 1
    return name if number == 1 else f"{name}-{number}"
