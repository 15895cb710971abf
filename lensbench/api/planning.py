"""The plan of a run: everything that can be known and checked before a model is loaded."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from lensbench.api.arguments import a_path, a_size, known_arguments
from lensbench.api.finished_work import check_cache
from lensbench.api.judging import judge_of_run
from lensbench.api.margins import english_margins
from lensbench.api.picks import pick_lines
from lensbench.api.rendering import Block, TextTable, View
from lensbench.api.requests import RunChoices, default_folder, run_request
from lensbench.api.variant_table import configuration_lines, variant_blocks, work_line
from lensbench.errors import UnavailableError
from lensbench.extras import missing_package
from lensbench.jsonio import JsonObject

if TYPE_CHECKING:
    from lensbench.plan.fetch import Need
    from lensbench.plan.memory import MemoryPlan
    from lensbench.plan.plan import Plan
    from lensbench.spec import RunSpec

_MOST_LISTED = 4
"""Fits whose memory is listed one by one."""

__all__ = ["RunPlan", "needs_blocks", "not_pinned", "plan_run"]


@dataclass(frozen=True)
class RunPlan:
    """What `evaluate` would do.

    Attributes:
        out: Run folder.
        ranks: Processes that would score and answer.
        memory: Planned bytes by stage; None before the sizes of the backbone are known.
        needs: What the run reads from the hub, and how much of it is here.
        unseen: Why that was not looked at; None where it was.
        margins: Question of an endpoint -> loss in English that counts as none, in the unit of the value.
        items: Items by planned task; None where that is not known before its rows are fetched.
        cache: Folder of finished work of earlier runs; None if the run does not use it. What it has of this run is not known
            before rows and weights are read.
    """

    out: Path
    ranks: int
    memory: MemoryPlan | None
    needs: Sequence[Need]
    unseen: str | None
    margins: Mapping[str, float]
    items: Sequence[int | None]
    _plan: Plan
    cache: Path | None = None

    @property
    def spec(self) -> RunSpec:
        return self._plan.spec

    @property
    def gaps(self) -> tuple[str, ...]:
        """Tasks that a language does not have, in words."""
        return self._plan.gaps

    def check(self) -> None:
        """Refuse a run that is sure to fail; a hub that is out of reach at this moment is not that.

        Raises:
            UnavailableError: something that the run reads are not available.
        """
        missing = [need for need in self.needs if need.sure]
        if missing:
            raise UnavailableError(
                f"{len(missing)} of {len(self.needs)} things that the run reads are not available", missing[0].problem
            )

    def as_dict(self) -> JsonObject:
        return {
            "out": str(self.out),
            "ranks": self.ranks,
            "fits": len(self._plan.variants),
            "items": list(self.items),
            "spec": self.spec.model_dump(mode="json"),
            "gaps": list(self.gaps),
            "english_margin": dict(self.margins),
            "cache": str(self.cache) if self.cache is not None else None,
            "pick": None if self._plan.pick is None else self._plan.pick.text,
            "planned_memory": self.memory.as_dict() if self.memory else None,
            "needs": [need.as_dict() for need in self.needs],
        }

    def view(self) -> View:
        """The plan as a person reads it."""
        plan, spec = self._plan, self.spec
        from lensbench.numbers.margins import shown_margins

        goes_on = " (exists: the run continues)" if (self.out / "run.json").is_file() else ""
        blocks: list[Block] = [
            f"method    {', '.join(dict.fromkeys(c.method for c in spec.variants)) or '(none: only the backbone)'}",
            f"backbone  {plan.backbone.title}",
            *(
                f"variant   {choice.name}: {choice.method}" + (f", seed {choice.seed}" if choice.seed is not None else "")
                for choice in (spec.variants if len(spec.variants) == 1 else ())
                if choice.name != choice.method
            ),
            *(f"variant   {name}: {other.title}" for name, other in plan.externals.items()),
            f"languages {', '.join(spec.all_languages)}",
            *([f"margin    {shown_margins(self.margins)}: a smaller loss in English counts as none"] if spec.english else []),
            *pick_lines(plan),
            f"data      {plan.source.describe()}",
            f"run       {self.out}{goes_on}",
            "cache     off: all work is done anew"
            if self.cache is None
            else f"cache     {self.cache}: work of earlier runs is not done again; how much that is, is not counted here",
            work_line(plan, self.items),
        ]
        if self.ranks > 1:
            blocks.append(f"ranks     {self.ranks}: each scores and answers its part; rank 0 fits, judges and writes")
        blocks += variant_blocks(spec.variants)
        rows = [
            (
                p.task.name,
                p.task.language.code,
                p.task.profile.profile,
                p.rows or "its own data set",
                p.task.split,
                p.task.protocol_hash(),
            )
            for p in plan.tasks
        ]
        blocks.append(TextTable(("task", "lang", "profile", "rows", "split", "protocol"), rows))
        blocks += [f"not available: {gap}" for gap in self.gaps]
        blocks += self._memory_lines()
        blocks += configuration_lines(spec.variants)
        if self.unseen is not None:
            blocks.append(self.unseen)
        return View([*blocks, *needs_blocks(self.needs), *not_pinned(self.needs)])

    def _memory_lines(self) -> list[str]:
        head = "planned memory (a plan, not a measurement: weights and training states; activations come on top)"
        if self.memory is None:
            return [head, f"  not known {self._why_unknown()}"]
        each = " on each rank" if self.ranks > 1 else ""
        weights = f"{self.memory.parameters:,} parameters of {self.memory.weight_bytes} bytes"
        floors = [floor for floor in self.memory.fits.values() if floor is not None]
        if len(floors) > _MOST_LISTED:
            span = f"from {min(floors) / 2**30:,.1f} to {max(floors) / 2**30:,.1f} GiB at least, one fit after the other"
            return [head, f"  scoring: {self.memory.scoring / 2**30:,.1f} GiB{each} ({weights})", f"  fitting: {span}"]
        fits = [
            f"  fitting {name}: " + ("not known" if floor is None else f"at least {floor / 2**30:,.1f} GiB")
            for name, floor in self.memory.fits.items()
        ]
        return [head, f"  scoring: {self.memory.scoring / 2**30:,.1f} GiB{each} ({weights})", *fits]

    def _why_unknown(self) -> str:
        backbone = self._plan.backbone
        named = [need for need in self.needs if need.what == f"model {backbone.backbone}"]
        there = any(need.bytes is not None and need.here == need.bytes for need in named)
        if backbone.path is not None or there:
            return "for this backbone: its sizes are known for short names, and for model folders of Llama, Mistral and Phi-3"
        return "before the backbone is fetched"

    def _repr_html_(self) -> str:
        return self.view()._repr_html_()


def plan_run(
    backbone: str | os.PathLike[str],
    *,
    data_parallel: int | None = None,
    memory: int | str | None = None,
    judge: str | os.PathLike[str] | None = None,
    judge_model: str | None = None,
    base_url: str | None = None,
    max_usd: float | None = None,
    english_margin: float | str | None = None,
    cache: bool = True,
    tracker: str | None = None,
    out: str | os.PathLike[str] | None = None,
    **choices: Unpack[RunChoices],
) -> RunPlan:
    """What `evaluate` would do with these arguments: no model is loaded and no rows are downloaded.

    Args:
        choices: As for `evaluate`.

    Raises:
        UsageError: as `evaluate`.
    """
    from lensbench.executors.launch import check_options, find_place
    from lensbench.numbers.margins import read_margins
    from lensbench.plan.item_counts import count_items
    from lensbench.plan.memory import plan_memory
    from lensbench.plan.plan import make_plan
    from lensbench.records import RunFolder
    from lensbench.trackers import open_tracker

    if tracker is not None:
        open_tracker(tracker)
    margins = english_margins(english_margin)
    a_size("memory", memory)
    known_arguments(choices, plan_run, more=RunChoices.__annotations__)
    plan = make_plan(run_request(backbone, choices))
    place = find_place(data_parallel)
    check_options(place, plan.spec.device, plan.spec.engine)
    judge_of_run(plan, judge, judge_model, base_url, max_usd)
    target = a_path("out", out) if out is not None else default_folder(plan.spec)
    unseen = None
    try:
        from lensbench.plan.fetch import look_at_needs

        needs = look_at_needs(plan)
    except ImportError as error:
        # The core alone plans; it has nothing to look with.
        missing = missing_package(error)
        if missing is None:
            raise
        needs, unseen = [], f"what it reads from the hub was not looked at: {missing.marked}"
    margins = {**read_margins(RunFolder(target)), **margins}
    store = check_cache(cache)
    return RunPlan(target, place.count, plan_memory(plan), needs, unseen, margins, count_items(plan), plan, store)


def needs_blocks(needs: Sequence[Need], here: str = "here") -> list[Block]:
    """What a run reads from the hub: what, where, its size, how much of it is here (or was), and every problem."""
    from lensbench.hub import size_text

    if not needs:
        return []
    rows = [
        (
            need.what,
            f"{need.place}@{need.commit[:12]}" if need.commit else need.place,
            "" if need.bytes is None else size_text(need.bytes),
            (need.fault or "missing") if need.problem else _here(need),
        )
        for need in needs
    ]
    # Every problem that a run would meet; of a hub that is out of reach, which is one problem, the first.
    told = dict.fromkeys(need.problem or "" for need in needs if need.sure)
    passing = [need for need in needs if need.problem and not need.sure]
    if passing:
        told[passing[0].problem or ""] = None
    more = [f"and {len(passing) - 1} more for the same reason or not asked: see the table"] if len(passing) > 1 else []
    return [TextTable(("read from the hub", "where", "size", here), rows), *told, *more]


def _here(need: Need) -> str:
    from lensbench.hub import size_text

    if need.bytes is None or need.here == need.bytes:
        return "yes"
    return "no" if not need.here else f"{size_text(need.here)} of it"


def not_pinned(needs: Sequence[Need]) -> list[str]:
    """Those that have no commit in their definition."""
    loose = sorted({need.place for need in needs if not need.pinned and need.problem is None})
    if not loose:
        return []
    return [
        f"not pinned by their definitions: {', '.join(loose)}. The newest commit is read; a run writes it "
        "down (run.json, results.json) and goes on with it. Another run may read another one."
    ]
