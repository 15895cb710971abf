"""One run from plan to results; every stage continues where an earlier start stopped."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lensbench.backbones.checkpoint import Checkpoint
from lensbench.backbones.lazy import LazyBackbone
from lensbench.backbones.load import check_loadable, pick_device, pick_dtype
from lensbench.backbones.resolve import find_checkpoint
from lensbench.engines.chat import check_template
from lensbench.engines.registry import check_engine
from lensbench.errors import RunError, UsageError
from lensbench.executors.ranks import ALONE, Ranks
from lensbench.methods.base import Enhancement, Progress, SilentProgress, TrainingData
from lensbench.numbers.cell import Cell
from lensbench.numbers.margins import keep_margins
from lensbench.numbers.picking.kept import keep_pick, read_pick
from lensbench.plan.plan import Plan
from lensbench.plan.resume_checks import check_questions, pin_checkpoint, pin_rows
from lensbench.plan.run_file_text import RUN_FILE
from lensbench.plan.sides_check import check_sides
from lensbench.plan.task_items import load_rows
from lensbench.records import RunFolder
from lensbench.records.run_folder import write_atomically
from lensbench.spec import BASE
from lensbench.stages.describe import describe, note_provenance
from lensbench.stages.evaluate import Evaluation, fingerprint, other_variants
from lensbench.stages.fit import MethodsFailed, fit_stage, load_corpora, report_overlap
from lensbench.stages.identify import AUTO, identify_stage, pick_identifier
from lensbench.stages.kept_states import states_of_runs
from lensbench.stages.results import write_results
from lensbench.stages.reuse import Reuse, begin_reuse, environment_digest
from lensbench.stages.reused_fits import keep_fits, take_fits
from lensbench.stages.stored import load_stored
from lensbench.stages.variants import Variant
from lensbench.threads import HeedingProgress, heeding_load

if TYPE_CHECKING:
    from lensbench.stages.judge import JudgeRequest

__all__ = ["run"]


def run(
    plan: Plan,
    out: Path,
    progress: Progress,
    *,
    resume_only: bool = False,
    judging: JudgeRequest | None = None,
    identifier: str = AUTO,
    margins: Mapping[str, float] | None = None,
    run_file: str | None = None,
    memory: int | None = None,
    cache: bool = True,
    ranks: Ranks = ALONE,
) -> list[Cell]:
    """Fit, score, answer, identify, judge, summarise; leave everything in `out`.

    Every rank calls this. Rank 0 does it all. A worker, which is any other rank, scores and answers its part, writes nothing and
    returns nothing.

    Args:
        judging: How to judge the answers; None leaves them to `lensbench judge`.
        identifier: Of the answers' languages: a name, a path, or `auto`.
        margins: Question of an endpoint -> loss in English that counts as none; those that are not named stay as they are.
        run_file: Content of `run.yaml`, from which the run can be repeated; None writes none.
        memory: Bytes for the variants that are asked together; None is half of what is free. It changes no score.
        cache: Whether to take finished work of earlier runs, and to let later runs take it of this one.
        ranks: Processes that score and answer together; this one is one of them.

    Raises:
        UsageError: the folder holds a run with another spec.
        MethodsFailed: a variant could not be fitted; the other variants are finished first.
        RunError: a worker has not the same plan, weights or questions as rank 0.
        LensbenchError: see the stages; what was finished before stays.
    """
    device = ranks.device(pick_device(plan.spec.device))
    pick_dtype(plan.spec.dtype, device)
    check_engine(plan.spec.engine, device)
    folder = RunFolder(out)
    if ranks.rank:
        _work(plan, folder, device, ranks)
        return []
    progress = HeedingProgress(progress)
    known = (out / "run.json").is_file()
    if resume_only and not known:
        raise UsageError(f"``resume``: no run at {out}", "Leave ``resume`` out to begin one.")
    # Ranks have a share of the cores each; they would take each other for other users.
    with folder.lock(), heeding_load(device) if ranks.count == 1 else nullcontext():
        if known:
            folder.begin(plan.spec)
            progress.notify(f"continuing the run in {out}")
        # A folder is claimed only once rows, corpora and weights are at hand: a start that fails before leaves no half-made run.
        pinned = folder.pinned() if known else {}
        rows = load_rows(plan, pinned)
        origins = {e.planned.rows: e.rows.origin for e in rows if e.rows is not None}
        pinned.update({f"rows:{n}": o.revision for n, o in origins.items() if n and o.kind == "hub" and o.revision})
        corpora = load_corpora(plan, folder, pinned)
        checkpoint = _find(plan, pinned, progress)
        externals = {name: _find(plan, pinned, progress, name) for name in plan.externals}
        check_models(plan, checkpoint, externals)
        if not known:
            folder.begin(plan.spec)
        folder.pin(pinned)
        if run_file is not None:
            write_atomically(folder.own(RUN_FILE), run_file)
        keep_margins(folder, margins or {})
        if plan.pick is not None:
            keep_pick(folder, plan.pick)
        pin_rows(folder, rows)
        pin_checkpoint(folder, checkpoint)
        for name, theirs in externals.items():
            pin_checkpoint(folder, theirs, f"variant:{name}")
        ranks.agreed(lambda: [plan.spec.digest, folder.pinned()])

        evaluation = Evaluation(plan, folder, rows, device, progress, ranks, memory)
        model = evaluation.open(plan.backbone, checkpoint)
        reuse = begin_reuse(plan.spec, folder, model, progress) if cache else None
        evaluation = replace(evaluation, reuse=reuse)
        tasks = evaluation.render(model)
        check_questions(folder, tasks)
        kept = read_pick(folder)
        if kept is not None:
            check_sides(kept.rule, tasks)
        for asked in tasks:
            if plan.spec.limit is not None and len(asked.items) < plan.spec.limit:
                progress.notify(f"{asked.name}: {plan.spec.limit} items were requested, but there are {len(asked.items)}")
        report_overlap(plan, folder, corpora, tasks, progress)
        made, failed = _fit(plan, folder, model, corpora, reuse, progress)
        variants = _variants(plan, made)
        others = other_variants(plan.externals, externals)
        about = describe(plan, folder, model, [*variants, *others], externals, tasks, failed)
        note_provenance(folder, about, environment_digest(plan.spec, model), ranks.count)
        with folder.log("items") as log:
            log.append(item.as_record() for asked in tasks for item in asked.items)
        ranks.agreed(lambda: [list(made), fingerprint(model, variants, tasks)])
        with reuse.noting(folder, progress) if reuse is not None else nullcontext():
            evaluation.ask(model, variants, tasks)
            # Enhancements may hold as much as a model does.
            del variants, made
            evaluation.ask_others(lambda name, _: externals[name], tasks)
            if folder.has_records("answers"):
                with folder.log("identified") as log:
                    identify_stage(folder, pick_identifier(identifier, progress.notify), log, progress, reuse=reuse)
        if judging is not None:
            # What speaks to a server is an extra of its own: a run without a judge does not need it.
            from lensbench.stages.judge import judge_stage

            judge_stage(folder, judging, progress)
        cells = write_results(folder)
    if failed:
        raise MethodsFailed(
            "; ".join(f"{name} could not be fitted: {message}" for name, message in failed.items()),
            f"The other variants are finished and in {out}. The same command tries again.",
        )
    return cells


def _fit(
    plan: Plan,
    folder: RunFolder,
    model: LazyBackbone,
    corpora: Mapping[str, TrainingData | None],
    reuse: Reuse | None,
    progress: Progress,
) -> tuple[dict[str, Enhancement], dict[str, str]]:
    """`fit_stage` for the variants that no earlier run has fitted."""
    if reuse is None:
        return fit_stage(plan, folder, model, corpora, progress)
    left = take_fits(reuse, plan, folder, model, corpora, progress)
    try:
        return fit_stage(plan, folder, model, left, progress, partial(states_of_runs, reuse, model))
    finally:
        keep_fits(reuse, plan, folder, model, left, progress)


def _work(plan: Plan, folder: RunFolder, device: str, ranks: Ranks) -> None:
    """What a worker does of a run.

    Raises:
        RunError: this rank has not the same plan, weights or questions as rank 0.
        LensbenchError: see the stages.
    """
    silent = SilentProgress()
    # From here on rows and weights lie on disk, and nobody fetches them a second time.
    digest, pinned = ranks.agreed(list)
    _same("options", digest, plan.spec.digest)
    evaluation = Evaluation(plan, folder, load_rows(plan, pinned), device, silent, ranks)
    model = evaluation.open(plan.backbone, _find(plan, pinned, silent))
    tasks = evaluation.render(model)
    # Rank 0 fits first; the weights are read meanwhile.
    model.loaded()
    made, theirs = ranks.agreed(list)
    enhancements: dict[str, Enhancement] = {
        name: load_stored(folder, plan.spec.fitted(name), model.checkpoint.digest) for name in made
    }
    variants = _variants(plan, enhancements)
    _same("weights or questions", theirs, fingerprint(model, variants, tasks))
    evaluation.ask(model, variants, tasks)
    del variants, enhancements
    evaluation.ask_others(lambda name, _: _find(plan, pinned, silent, name), tasks)


def _find(plan: Plan, pinned: Mapping[str, str], progress: Progress, variant: str | None = None) -> Checkpoint:
    """The backbone's checkpoint, or that of another variant, at the revision that the run began with."""
    if variant is None:
        backbone, revision = plan.backbone, plan.revision or pinned.get("backbone_revision")
    else:
        backbone, revision = plan.externals[variant], pinned.get(f"variant:{variant}_revision")
    return find_checkpoint(backbone, revision=revision, notify=progress.notify, trust=plan.trust_model)


def check_models(plan: Plan, checkpoint: Checkpoint, externals: Mapping[str, Checkpoint]) -> None:
    """Configuration, tokenizer and chat template of every checkpoint, before any weights are read.

    Args:
        checkpoint: The backbone's.
        externals: Those of other checkpoints, by the name of their variant.
    """
    chats = any(planned.task.profile.chat for planned in plan.tasks)
    turns = 2 if any(planned.task.profile.scoring == "judged" for planned in plan.tasks) else 1
    for backbone, theirs in [
        (plan.backbone, checkpoint),
        *((plan.externals[name], theirs) for name, theirs in externals.items()),
    ]:
        tokenizer, _ = check_loadable(backbone, theirs, trust=plan.trust_model)
        if chats:
            check_template(tokenizer, backbone.system_text, turns=turns)


def _variants(plan: Plan, made: Mapping[str, Enhancement]) -> list[Variant]:
    """The untouched backbone, and what the methods made of it."""
    return [Variant(BASE), *(Variant(name, enhancement, plan.spec.fitted(name)) for name, enhancement in made.items())]


def _same(what: str, theirs: Any, ours: Any) -> None:
    if theirs != ours:
        raise RunError(f"its {what} are not those of rank 0", "All ranks need the same files, command and lensbench.")
