"""One run from plan to results; every stage goes on where an earlier start left it."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lensbench import __version__
from lensbench.backbones.load import LoadedBackbone, load_backbone, pick_device, pick_dtype
from lensbench.backbones.resolve import Checkpoint, find_checkpoint
from lensbench.data.overlap import TrainingIndex, find_overlap
from lensbench.engine.lm import LensLM
from lensbench.errors import RunError, UsageError
from lensbench.methods import load_method
from lensbench.methods.base import Enhancement, Progress, TrainingData
from lensbench.pipeline.answer import answer_stage
from lensbench.pipeline.identify import AUTO, identify_stage, pick_identifier
from lensbench.pipeline.judge import JudgeRequest, judge_stage
from lensbench.pipeline.load_items import AskedTask, LoadedRows, load_rows, render_items
from lensbench.pipeline.plan import Plan
from lensbench.pipeline.results import write_results
from lensbench.pipeline.score import score_stage
from lensbench.pipeline.summarise import Cell
from lensbench.pipeline.variants import BASE, Variant
from lensbench.store import RunFolder
from lensbench.store.provenance import gather_provenance

__all__ = ["run"]

_OVERLAP = "overlap.json"


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
        LensbenchError: see the stages; what was finished before stays.
    """
    device = pick_device(plan.spec.device)
    pick_dtype(plan.spec.dtype, device)
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
        corpora = _load_corpora(plan, folder, pinned)
        checkpoint = find_checkpoint(plan.backbone, revision=plan.revision or pinned.get("backbone_revision"), say=progress.say)
        if not known:
            folder.begin(plan.spec)
        folder.pin(pinned)
        _pin_rows(folder, rows)
        _pin_checkpoint(folder, checkpoint)

        started = time.perf_counter()
        loaded = load_backbone(plan.backbone, checkpoint, device=device, dtype=plan.spec.dtype, trust=plan.trust)
        progress.say(
            f"loaded {plan.backbone.backbone} ({checkpoint.kind}: {checkpoint.name}) in {time.perf_counter() - started:.1f} s"
        )
        lm = LensLM(loaded, batch_size=plan.spec.batch_size)
        tasks = render_items(plan, rows, lm.apply_chat_template)
        for asked in tasks:
            if plan.spec.limit is not None and len(asked.items) < plan.spec.limit:
                progress.say(f"{asked.name}: {plan.spec.limit} items were asked for, there are {len(asked.items)}")
        _report_overlap(folder, corpora, tasks, progress)
        variants = [Variant(BASE)]
        variants += [Variant(name, _fit(name, plan, folder, loaded, corpora[name], progress)) for name in plan.configs]
        about = _describe(plan, folder, loaded, variants, tasks)
        _note_provenance(folder, about)
        with folder.log("items") as log:
            log.append(item.as_record() for asked in tasks for item in asked.items)
        closed = [a for a in tasks if not a.planned.task.profile.generates]
        opened = [a for a in tasks if a.planned.task.profile.generates]
        with folder.log("score") as log:
            score_stage(lm, variants, closed, log, progress)
        if opened:
            with folder.log("answers") as log:
                answer_stage(lm, variants, opened, folder, log, progress, seed=plan.spec.seed)
            with folder.log("identified") as log:
                identify_stage(folder, pick_identifier(identifier, progress.say), log)
        if judging is not None:
            judge_stage(folder, judging, progress)
        cells = write_results(folder)
    return cells


def _pin_rows(folder: RunFolder, rows: list[LoadedRows]) -> None:
    """Write down which rows the run began with; a data folder that was changed since holds other questions."""
    digests = {
        f"digest:{e.planned.rows}/{e.planned.task.language.code}": e.rows.origin.digest for e in rows if e.rows is not None
    }
    before = folder.pinned()
    changed = [key.removeprefix("digest:") for key, digest in digests.items() if before.get(key, digest) != digest]
    if changed:
        raise RunError(
            f"rows have changed since the run in {folder.path} was begun: {', '.join(changed)}",
            "Give another --out, or bring the old rows back.",
        )
    folder.pin(digests)


def _pin_checkpoint(folder: RunFolder, checkpoint: Checkpoint) -> None:
    """Write down which weights the run began with; other weights under the same name are not its backbone."""
    before = folder.pinned().get("backbone_digest")
    if before is not None and before != checkpoint.digest:
        raise RunError(
            f"the run in {folder.path} was begun with other weights: {before} there, {checkpoint.digest} here",
            "Give another --out, or bring the old weights back.",
        )
    pins = {"backbone_digest": checkpoint.digest}
    if checkpoint.kind == "hub" and checkpoint.revision:
        pins["backbone_revision"] = checkpoint.revision
    folder.pin(pins)


def _load_corpora(plan: Plan, folder: RunFolder, pinned: dict[str, str]) -> dict[str, TrainingData | None]:
    """What each method learns from, and its hub commits into `pinned`; None where there is nothing left to fit."""
    found: dict[str, TrainingData | None] = {}
    for name, config in plan.configs.items():
        if (folder.enhancement(name) / "card.json").is_file():
            found[name] = None
            continue
        revisions = {key.removeprefix("rows:"): value for key, value in pinned.items() if key.startswith("rows:")}
        corpora = load_method(name).corpora(plan.source, plan.spec.all_languages, config, revisions)
        pinned.update(
            {f"rows:{key.partition('/')[0]}": o.revision for key, o in corpora.origins.items() if o.kind == "hub" and o.revision}
        )
        found[name] = corpora
    return found


def _report_overlap(
    folder: RunFolder, corpora: Mapping[str, TrainingData | None], tasks: list[AskedTask], progress: Progress
) -> None:
    """Say which evaluated items a method learns from, before any score is there; a fit that is loaded keeps its first report."""
    stored = {(o["method"], o["task"], o["language"]): o for o in (folder.read_json(_OVERLAP) if folder.has(_OVERLAP) else [])}
    for method, learned in corpora.items():
        if learned is None:
            continue
        index = TrainingIndex(learned.texts())
        for asked in tasks:
            name, language = asked.planned.task.name, asked.planned.task.language.code
            found = find_overlap(method, index, name, language, ((item.doc_id, item.doc) for item in asked.items))
            stored[method, name, language] = found.as_dict()
            if found.sharing:
                shared = f"{found.sharing} of {found.items} items share a word sequence"
                progress.say(f"! {name}/{language}: {shared} with what {method} learns from")
    if stored:
        folder.write_json(_OVERLAP, list(stored.values()))


def _fit(
    name: str, plan: Plan, folder: RunFolder, loaded: LoadedBackbone, corpora: TrainingData | None, progress: Progress
) -> Enhancement:
    """A method's enhancement: loaded when an earlier start finished it, else fitted and saved."""
    method = load_method(name)
    home = folder.enhancement(name)
    if corpora is None:
        return method.load(home, loaded.checkpoint.digest)
    try:
        enhancement = method.fit(loaded, corpora, plan.configs[name], progress)
    except RunError as error:
        last_good = getattr(error, "delta", None)
        if last_good is not None:
            kept = folder.enhancement(f"{name}.diverged-at-step-{getattr(error, 'step', 0)}")
            last_good.save(kept)
            progress.say(f"the last good state is in {kept}")
        raise
    enhancement.save(home)
    cost = json.loads((home / "card.json").read_text(encoding="utf-8")).get("cost", {})
    progress.say(_cost_line(name, cost))
    return enhancement


def _cost_line(method: str, cost: dict[str, Any]) -> str:
    peak, floor = cost.get("peak_bytes"), cost.get("floor_bytes")
    memory = "peak memory unknown"
    if peak and floor:
        memory = f"peak memory {peak / 2**20:,.0f} MiB = {peak / floor:.2f} x floor ({floor / 2**20:,.0f} MiB)"
    return (
        f"{method}: {cost.get('steps')} steps in {cost.get('wall_seconds', 0):.0f} s, "
        f"{cost.get('trainable_share', 0):.2%} of the parameters trained, {memory}"
    )


def _describe(
    plan: Plan, folder: RunFolder, loaded: LoadedBackbone, variants: list[Variant], tasks: list[AskedTask]
) -> dict[str, Any]:
    """What the summary needs to know of models and rows, written once as `variants.json`."""
    about = {
        "lensbench": __version__,
        "backbone": plan.backbone.backbone,
        "backbone_origin": loaded.checkpoint.as_dict(),
        "backbone_digest": loaded.checkpoint.digest,
        "dtype": str(next(loaded.model.parameters()).dtype).removeprefix("torch."),
        "device": str(loaded.device),
        "tokenizer_digest": loaded.tokenizer_digest,
        "variants": {v.name: {"digest": v.digest, "method": None if v.name == BASE else v.name} for v in variants},
        "tasks": {
            f"{a.planned.task.name}/{a.planned.task.language.code}": {
                "title": a.planned.task.title,
                "version": a.planned.task.version,
                "profile": a.planned.task.profile.profile,
                "protocol": a.planned.task.protocol_hash(),
                "rows": f"{a.origin.kind}:{a.planned.rows}:{a.origin.digest[:12]}" if a.origin else "lm-eval's own",
                "substitute": a.planned.substitute,
                "origin": a.origin.as_dict() if a.origin else None,
                "items": len(a.items),
                "max_new_tokens": plan.spec.max_new_tokens if a.planned.task.profile.generates else None,
                "judged": a.planned.task.profile.scoring == "judged",
            }
            for a in tasks
        },
        "gaps": list(plan.gaps),
    }
    folder.write_json("variants.json", about)
    return about


def _note_provenance(folder: RunFolder, about: dict[str, Any]) -> None:
    starts = folder.read_json("provenance.json")["starts"] if (folder.path / "provenance.json").is_file() else []
    starts.append({**gather_provenance(), "device": about["device"], "dtype": about["dtype"]})
    folder.write_json(
        "provenance.json",
        {"starts": starts, "backbone": about["backbone_origin"], "tokenizer": about["tokenizer_digest"],
         "rows": {name: task["origin"] for name, task in about["tasks"].items()}},
    )  # fmt: skip
