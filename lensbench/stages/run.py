"""One run from plan to results; every stage goes on where an earlier start left it."""

from __future__ import annotations

import gc
import hashlib
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lensbench.backbones import Backbone
from lensbench.backbones.checkpoint import Checkpoint
from lensbench.backbones.load import LoadedBackbone, check_loadable, load_backbone, pick_device, pick_dtype
from lensbench.backbones.resolve import find_checkpoint
from lensbench.engines.chat import check_template
from lensbench.engines.reference.lm import LensLM
from lensbench.engines.vllm.package import find_vllm
from lensbench.errors import RunError, UsageError
from lensbench.executors.ranks import ALONE, Ranks, conversations
from lensbench.methods.base import Enhancement, Progress, SilentProgress
from lensbench.numbers.summarise import Cell
from lensbench.plan.plan import Plan
from lensbench.plan.resume_checks import check_questions, pin_checkpoint, pin_rows
from lensbench.plan.task_items import TaskItems, load_rows, render_items, under_the_same_ids
from lensbench.records import RunFolder
from lensbench.spec import BASE
from lensbench.stages.answer import answer_stage
from lensbench.stages.describe import describe, note_provenance
from lensbench.stages.fit import MethodsFailed, fit_stage, load_corpora, report_overlap
from lensbench.stages.identify import AUTO, identify_stage, pick_identifier
from lensbench.stages.judge import JudgeRequest, judge_stage
from lensbench.stages.results import write_results
from lensbench.stages.score import score_stage
from lensbench.stages.variants import Variant, load_fitted
from lensbench.stages.vllm import ask_vllm

__all__ = ["run", "run_worker_rank"]


def run(
    plan: Plan,
    out: Path,
    progress: Progress,
    *,
    resume_only: bool = False,
    judging: JudgeRequest | None = None,
    identifier: str = AUTO,
    ranks: Ranks = ALONE,
) -> list[Cell]:
    """Fit, score, answer, identify, judge, summarise; leave everything in `out`.

    Args:
        judging: How to judge the answers; None leaves them to `lensbench judge`.
        identifier: Of the answers' languages: a name, a path, or `auto`.
        ranks: Processes that score and answer together, this one being rank 0; the others call `run_worker_rank`.

    Raises:
        UsageError: the folder holds a run with another spec.
        MethodsFailed: a variant could not be fitted; the other variants are finished first.
        LensbenchError: see the stages; what was finished before stays.
    """
    device = ranks.device(pick_device(plan.spec.device))
    pick_dtype(plan.spec.dtype, device)
    if plan.spec.engine == "vllm":
        find_vllm(device)
    folder = RunFolder(out)
    known = (out / "run.json").is_file()
    if resume_only and not known:
        raise UsageError(f"``resume``: no run at {out}", "Leave ``resume`` out to begin one.")
    with folder.lock():
        if known:
            folder.begin(plan.spec)
            progress.notify(f"going on with the run in {out}")
        # A folder is claimed only once rows, corpora and weights are at hand: a start that fails before leaves no half-made run.
        pinned = folder.pinned() if known else {}
        rows = load_rows(plan, pinned)
        origins = {e.planned.rows: e.rows.origin for e in rows if e.rows is not None}
        pinned.update({f"rows:{n}": o.revision for n, o in origins.items() if n and o.kind == "hub" and o.revision})
        corpora = load_corpora(plan, folder, pinned)
        checkpoint = find_checkpoint(
            plan.backbone,
            revision=plan.revision or pinned.get("backbone_revision"),
            notify=progress.notify,
            trust=plan.trust_model,
        )
        externals = {
            name: find_checkpoint(
                other, revision=pinned.get(f"variant:{name}_revision"), notify=progress.notify, trust=plan.trust_model
            )
            for name, other in plan.externals.items()
        }
        check_models(plan, checkpoint, externals)
        if not known:
            folder.begin(plan.spec)
        folder.pin(pinned)
        pin_rows(folder, rows)
        pin_checkpoint(folder, checkpoint)
        for name, theirs in externals.items():
            pin_checkpoint(folder, theirs, f"variant:{name}")
        ranks.agreed(lambda: [plan.spec.digest, folder.pinned()])

        loaded = _load(plan, plan.backbone, checkpoint, device, progress)
        lm = LensLM(loaded, batch_size=plan.spec.batch_size)
        tasks = render_items(plan, rows, lm.apply_chat_template)
        check_questions(folder, tasks)
        for asked in tasks:
            if plan.spec.limit is not None and len(asked.items) < plan.spec.limit:
                progress.notify(f"{asked.name}: {plan.spec.limit} items were asked for, there are {len(asked.items)}")
        report_overlap(plan, folder, corpora, tasks, progress)
        made, failed = fit_stage(plan, folder, loaded, corpora, progress)
        variants = _variants(plan, made)
        others = [Variant(name, checkpoint=externals[name], system_text=b.system_text) for name, b in plan.externals.items()]
        about = describe(plan, folder, loaded, [*variants, *others], externals, tasks, failed)
        note_provenance(folder, about, ranks.count)
        with folder.log("items") as log:
            log.append(item.as_record() for asked in tasks for item in asked.items)
        ranks.agreed(lambda: [list(made), _fingerprint(loaded, variants, tasks)])
        _ask(plan, folder, lm, variants, tasks, progress, ranks)
        # One model in memory at a time.
        del loaded, lm, variants, made
        gc.collect()
        for other in others:
            lm = LensLM(
                _load(plan, plan.externals[other.name], externals[other.name], device, progress), batch_size=plan.spec.batch_size
            )
            theirs_asked = under_the_same_ids(render_items(plan, rows, lm.apply_chat_template), tasks)
            _ask(plan, folder, lm, [other], theirs_asked, progress, ranks)
            del lm
            gc.collect()
        if folder.has_records("answers"):
            with folder.log("identified") as log:
                identify_stage(folder, pick_identifier(identifier, progress.notify), log, progress)
        if judging is not None:
            judge_stage(folder, judging, progress)
        cells = write_results(folder)
    if failed:
        raise MethodsFailed(
            "; ".join(f"{name} could not be fitted: {message}" for name, message in failed.items()),
            f"The other variants are finished and in {out}. The same command tries again.",
        )
    return cells


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


def run_worker_rank(plan: Plan, out: Path, ranks: Ranks) -> None:
    """What a rank other than 0 does of a run: it scores and answers its part, and writes nothing.

    Raises:
        RunError: this rank has not the same plan, weights or questions as rank 0.
        LensbenchError: see the stages.
    """
    silent = SilentProgress()
    device = ranks.device(pick_device(plan.spec.device))
    # From here on rows and weights lie on disk, and nobody fetches them a second time.
    digest, pinned = ranks.agreed(list)
    _same("options", digest, plan.spec.digest)
    rows = load_rows(plan, pinned)
    checkpoint = find_checkpoint(
        plan.backbone, revision=plan.revision or pinned.get("backbone_revision"), notify=silent.notify, trust=plan.trust_model
    )
    loaded = _load(plan, plan.backbone, checkpoint, device, silent)
    lm = LensLM(loaded, batch_size=plan.spec.batch_size)
    tasks = render_items(plan, rows, lm.apply_chat_template)
    # Rank 0 fits first.
    made, fingerprint = ranks.agreed(list)
    folder = RunFolder(out)
    enhancements = {name: load_fitted(folder, plan.spec.fitted(name), checkpoint.digest) for name in made}
    variants = _variants(plan, enhancements)
    _same("weights or questions", fingerprint, _fingerprint(loaded, variants, tasks))
    _ask(plan, folder, lm, variants, tasks, silent, ranks)
    del loaded, lm, variants, enhancements
    gc.collect()
    for name, backbone in plan.externals.items():
        theirs = find_checkpoint(
            backbone, revision=pinned.get(f"variant:{name}_revision"), notify=silent.notify, trust=plan.trust_model
        )
        lm = LensLM(_load(plan, backbone, theirs, device, silent), batch_size=plan.spec.batch_size)
        asked = under_the_same_ids(render_items(plan, rows, lm.apply_chat_template), tasks)
        _ask(plan, folder, lm, [Variant(name, checkpoint=theirs, system_text=backbone.system_text)], asked, silent, ranks)
        del lm
        gc.collect()


def _variants(plan: Plan, made: Mapping[str, Enhancement]) -> list[Variant]:
    """The untouched backbone, and what the methods made of it."""
    return [Variant(BASE), *(Variant(name, enhancement, plan.spec.fitted(name)) for name, enhancement in made.items())]


def _same(what: str, theirs: Any, ours: Any) -> None:
    if theirs != ours:
        raise RunError(f"its {what} are not those of rank 0", "All ranks need the same files, command and lensbench.")


def _fingerprint(loaded: LoadedBackbone, variants: Sequence[Variant], tasks: Sequence[TaskItems]) -> str:
    """Of what decides the keys of all records."""
    digest = hashlib.sha256(f"{loaded.checkpoint.digest} {loaded.tokenizer_digest} {loaded.model.dtype}".encode())
    for text in [*(f"{variant.name} {variant.digest}" for variant in variants), *(i.id for a in tasks for i in a.items)]:
        digest.update(text.encode())
    return digest.hexdigest()


def _load(plan: Plan, backbone: Backbone, checkpoint: Checkpoint, device: str, progress: Progress) -> LoadedBackbone:
    started = time.perf_counter()
    loaded = load_backbone(backbone, checkpoint, device=device, dtype=plan.spec.dtype, trust=plan.trust_model)
    seconds = time.perf_counter() - started
    progress.notify(f"loaded {backbone.backbone} ({checkpoint.kind}: {checkpoint.name}) in {seconds:.1f} s")
    return loaded


def _ask(
    plan: Plan,
    folder: RunFolder,
    lm: LensLM,
    variants: Sequence[Variant],
    tasks: Sequence[TaskItems],
    progress: Progress,
    ranks: Ranks,
) -> None:
    """Scores and answers of the variants of one loaded model."""
    closed = [a for a in tasks if not a.planned.task.profile.generates]
    opened = [a for a in tasks if a.planned.task.profile.generates]
    if plan.spec.engine == "vllm":
        ask_vllm(lm, variants, closed, opened, folder, progress, seed=plan.spec.seed, trust=plan.trust_model)
        return
    with ranks.share_of_cores(lm.loaded.device.type):
        with ranks.log(folder, "score") as log:
            score_stage(lm, variants, closed, log, progress, engine=plan.spec.engine, ranks=ranks)
        if opened:
            with ranks.log(folder, "answers") as log:
                answer_stage(
                    lm, variants, conversations(ranks, opened), folder, log, ranks.progress(progress), seed=plan.spec.seed
                )
                ranks.collect(log, progress)
