"""Description of models and rows for the summary, and provenance of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lensbench.backbones.checkpoint import Checkpoint
from lensbench.backbones.lazy import LazyBackbone
from lensbench.jsonio import JsonObject
from lensbench.plan.plan import Plan
from lensbench.plan.resume_checks import check_variants
from lensbench.plan.task_items import TaskItems
from lensbench.records import RowsKey, RunFolder, TaskKey
from lensbench.records.provenance import gather_provenance
from lensbench.safenames import checked_name, folder_name
from lensbench.stages.variants import Variant
from lensbench.version import __version__

__all__ = ["describe", "note_provenance"]


def describe(
    plan: Plan,
    folder: RunFolder,
    model: LazyBackbone,
    variants: Sequence[Variant],
    externals: Mapping[str, Checkpoint],
    tasks: Sequence[TaskItems],
    failed: Mapping[str, str],
) -> JsonObject:
    """Write `variants.json`.

    Args:
        variants: All of the run, other checkpoints too.
        externals: Those checkpoints by the name of their variant.
        failed: What went wrong, by variant that could not be fitted.

    Raises:
        RunError: the folder has records of other variants under these names.
    """
    about = {
        "lensbench": __version__,
        "backbone": plan.backbone.backbone,
        "backbone_origin": model.checkpoint.as_dict(),
        "backbone_digest": model.checkpoint.digest,
        "dtype": str(model.dtype).removeprefix("torch."),
        "device": str(model.device),
        "tokenizer_digest": model.tokenizer_digest,
        "variants": {variant.name: _variant(variant, plan, externals) for variant in variants},
        "failed": dict(failed),
        "tasks": {
            str(TaskKey(a.planned.task.name, a.planned.task.language.code)): {
                "title": a.planned.task.title,
                "version": a.planned.task.version,
                "profile": a.planned.task.profile.profile,
                "wording": a.planned.task.wording,
                "stands_for": a.planned.task.profile.stands_for,
                "protocol": a.planned.task.protocol_hash(),
                "rows": str(RowsKey(a.origin.kind, str(a.planned.rows), a.origin.digest[:12])) if a.origin else "lm-eval's own",
                "substitute": a.planned.substitute,
                "origin": a.origin.as_dict() if a.origin else None,
                "items": len(a.items),
                "max_new_tokens": plan.spec.max_new_tokens if a.planned.task.profile.generates else None,
                "judged": a.planned.task.profile.scoring == "judged",
                "generates": a.planned.task.profile.generates,
                "turns": sum(len(item.turns) for item in a.items),
                "higher_is_better": _directions(a),
            }
            for a in tasks
        },
        "gaps": list(plan.gaps),
    }
    # Their names become those of files; refused here, before anything is scored.
    for name in (*about["variants"], *failed):
        checked_name(folder_name(name), "variant")
    for asked in tasks:
        checked_name(f"{asked.planned.task.name}_{asked.planned.task.language.code}", "task", str(asked.planned.task.entry.path))
    check_variants(folder, about)
    folder.write_json("variants.json", about)
    return about


def _directions(asked: TaskItems) -> dict[str, bool]:
    """Metric -> whether more is better: as the task's `metric_list` says, else as lm-eval or the metric's package says."""
    task = asked.planned.task
    listed = {str(e.get("metric")): e.get("higher_is_better") for e in task.config.get("metric_list") or () if task.metrics}
    packages = {m.name: m.higher_is_better if listed[m.name] is None else listed[m.name] for m in task.metrics}
    told = {**asked.built.higher_is_better(), **packages}
    return {str(name): more for name, more in told.items() if isinstance(more, bool)}


def _variant(variant: Variant, plan: Plan, externals: Mapping[str, Checkpoint]) -> JsonObject:
    checkpoint = externals.get(variant.name)
    note = getattr(variant.enhancement, "card", {}).get("note")
    return {
        "digest": variant.digest,
        "method": variant.choice.method if variant.choice is not None else None,
        **({"seed": variant.choice.seed} if variant.choice is not None and variant.choice.seed is not None else {}),
        **({"note": note} if note else {}),
        **({"external": {"title": plan.externals[variant.name].title, **checkpoint.as_dict()}} if checkpoint else {}),
    }


def note_provenance(folder: RunFolder, about: Mapping[str, Any], environment: str, ranks: int = 1) -> None:
    """Add this start to `provenance.json`.

    Args:
        environment: Digest of what decides the last bits of its scores.
        ranks: Number of its processes.
    """
    starts = folder.read_json("provenance.json")["starts"] if (folder.path / "provenance.json").is_file() else []
    starts.append(
        {**gather_provenance(), "device": about["device"], "dtype": about["dtype"], "ranks": ranks, "environment": environment}
    )
    folder.write_json(
        "provenance.json",
        {
            "starts": starts,
            "backbone": about["backbone_origin"],
            "tokenizer": about["tokenizer_digest"],
            "rows": {name: task["origin"] for name, task in about["tasks"].items()},
        },
    )
