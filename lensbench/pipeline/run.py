"""One run from plan to results; every stage goes on where an earlier start left it."""

from __future__ import annotations

import gc
import time
from collections.abc import Sequence
from pathlib import Path

from lensbench.backbones import Backbone
from lensbench.backbones.load import LoadedBackbone, load_backbone, pick_device, pick_dtype
from lensbench.backbones.resolve import Checkpoint, find_checkpoint
from lensbench.engine.lm import LensLM
from lensbench.engine.vllm_package import find_vllm
from lensbench.errors import UsageError
from lensbench.methods.base import Progress
from lensbench.pipeline.answer import answer_stage
from lensbench.pipeline.describe import describe, note_provenance
from lensbench.pipeline.externals import under_the_same_ids
from lensbench.pipeline.fit import MethodsFailed, fit_stage, load_corpora, report_overlap
from lensbench.pipeline.identify import AUTO, identify_stage, pick_identifier
from lensbench.pipeline.judge import JudgeRequest, judge_stage
from lensbench.pipeline.load_items import AskedTask, load_rows, render_items
from lensbench.pipeline.pins import pin_checkpoint, pin_rows
from lensbench.pipeline.plan import Plan
from lensbench.pipeline.results import write_results
from lensbench.pipeline.score import score_stage
from lensbench.pipeline.summarise import Cell
from lensbench.pipeline.unchanged import check_questions
from lensbench.pipeline.variants import BASE, Variant
from lensbench.pipeline.vllm import ask_vllm
from lensbench.store import RunFolder

__all__ = ["run"]


def run(
    plan: Plan,
    out: Path,
    progress: Progress,
    *,
    resume_only: bool = False,
    judging: JudgeRequest | None = None,
    identifier: str = AUTO,
) -> list[Cell]:
    """Fit, score, answer, identify, judge, summarise; leave everything in `out`.

    Args:
        judging: How to judge the answers; None leaves them to `lensbench judge`.
        identifier: Of the answers' languages: a name, a path, or `auto`.

    Raises:
        UsageError: the folder holds a run with another spec.
        MethodsFailed: a method could not be fitted; the other variants are finished first.
        LensbenchError: see the stages; what was finished before stays.
    """
    device = pick_device(plan.spec.device)
    pick_dtype(plan.spec.dtype, device)
    if plan.spec.engine == "vllm":
        find_vllm(device)
    folder = RunFolder(out)
    known = (out / "run.json").is_file()
    if resume_only and not known:
        raise UsageError(f"--resume: no run at {out}", "Leave --resume out to begin one.")
    with folder.lock():
        if known:
            folder.begin(plan.spec)
            progress.say(f"going on with the run in {out}")
        # A folder is claimed only once rows, corpora and weights are at hand: a start that fails before leaves no half-made run.
        pinned = folder.pinned() if known else {}
        rows = load_rows(plan, pinned)
        origins = {e.planned.rows: e.rows.origin for e in rows if e.rows is not None}
        pinned.update({f"rows:{n}": o.revision for n, o in origins.items() if n and o.kind == "hub" and o.revision})
        corpora = load_corpora(plan, folder, pinned)
        checkpoint = find_checkpoint(plan.backbone, revision=plan.revision or pinned.get("backbone_revision"), say=progress.say)
        externals = {
            name: find_checkpoint(other, revision=pinned.get(f"variant:{name}_revision"), say=progress.say)
            for name, other in plan.externals.items()
        }
        if not known:
            folder.begin(plan.spec)
        folder.pin(pinned)
        pin_rows(folder, rows)
        pin_checkpoint(folder, checkpoint)
        for name, theirs in externals.items():
            pin_checkpoint(folder, theirs, f"variant:{name}")

        loaded = _load(plan, plan.backbone, checkpoint, device, progress)
        lm = LensLM(loaded, batch_size=plan.spec.batch_size)
        tasks = render_items(plan, rows, lm.apply_chat_template)
        check_questions(folder, tasks)
        for asked in tasks:
            if plan.spec.limit is not None and len(asked.items) < plan.spec.limit:
                progress.say(f"{asked.name}: {plan.spec.limit} items were asked for, there are {len(asked.items)}")
        report_overlap(folder, corpora, tasks, progress)
        made, failed = fit_stage(plan, folder, loaded, corpora, progress)
        variants = [Variant(BASE), *(Variant(name, enhancement) for name, enhancement in made.items())]
        others = [Variant(name, checkpoint=externals[name], system_text=b.system_text) for name, b in plan.externals.items()]
        about = describe(plan, folder, loaded, [*variants, *others], externals, tasks, failed)
        note_provenance(folder, about)
        with folder.log("items") as log:
            log.append(item.as_record() for asked in tasks for item in asked.items)
        _ask(plan, folder, lm, variants, tasks, progress)
        # One model in memory at a time.
        del loaded, lm, variants, made
        gc.collect()
        for other in others:
            lm = LensLM(
                _load(plan, plan.externals[other.name], externals[other.name], device, progress), batch_size=plan.spec.batch_size
            )
            _ask(plan, folder, lm, [other], under_the_same_ids(render_items(plan, rows, lm.apply_chat_template), tasks), progress)
            del lm
            gc.collect()
        if folder.has_records("answers"):
            with folder.log("identified") as log:
                identify_stage(folder, pick_identifier(identifier, progress.say), log)
        if judging is not None:
            judge_stage(folder, judging, progress)
        cells = write_results(folder)
    if failed:
        raise MethodsFailed(
            "; ".join(f"{name} could not be fitted: {message}" for name, message in failed.items()),
            f"The other variants are finished and in {out}. The same command tries again.",
        )
    return cells


def _load(plan: Plan, backbone: Backbone, checkpoint: Checkpoint, device: str, progress: Progress) -> LoadedBackbone:
    started = time.perf_counter()
    loaded = load_backbone(backbone, checkpoint, device=device, dtype=plan.spec.dtype, trust=plan.trust)
    seconds = time.perf_counter() - started
    progress.say(f"loaded {backbone.backbone} ({checkpoint.kind}: {checkpoint.name}) in {seconds:.1f} s")
    return loaded


def _ask(
    plan: Plan, folder: RunFolder, lm: LensLM, variants: Sequence[Variant], tasks: Sequence[AskedTask], progress: Progress
) -> None:
    """Scores and answers of the variants of one loaded model."""
    closed = [a for a in tasks if not a.planned.task.profile.generates]
    opened = [a for a in tasks if a.planned.task.profile.generates]
    if plan.spec.engine == "vllm":
        ask_vllm(lm, variants, closed, opened, folder, progress, seed=plan.spec.seed, trust=plan.trust)
        return
    with folder.log("score") as log:
        score_stage(lm, variants, closed, log, progress, engine=plan.spec.engine)
    if opened:
        with folder.log("answers") as log:
            answer_stage(lm, variants, opened, folder, log, progress, seed=plan.spec.seed)
