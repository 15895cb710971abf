"""An enhanced model as an ordinary model folder, for transformers, vLLM and converters."""

from __future__ import annotations

import json
from pathlib import Path

from lensbench.backbones import get_backbone
from lensbench.backbones.load import load_backbone
from lensbench.backbones.resolve import find_checkpoint
from lensbench.backbones.save import save_model
from lensbench.errors import RunError, UsageError
from lensbench.methods.base import Progress
from lensbench.records import RunFolder, write_atomically
from lensbench.stages.variants import load_fitted

__all__ = ["merge"]


def merge(
    folder: RunFolder,
    variant: str | None,
    target: Path,
    progress: Progress,
    *,
    dtype: str | None = None,
    trust_model: bool = False,
) -> str:
    """Write backbone and enhancement as one model.

    Args:
        variant: Name of the enhanced variant; None takes the only one.
        target: A folder that does not exist yet, or is empty.
        dtype: Of the written weights; None keeps the run's, so that the model gives the run's own logits.
        trust_model: Whether Python code of a model given as folder or hub id may run.

    Returns:
        The variant that was merged.

    Raises:
        UsageError: unknown variant (with the nearest), several and none named, a target that is not empty, or an enhancement that
            acts at inference time and cannot be merged.
        RunError: the enhancement is damaged or of another backbone, or the disk is full.
    """
    spec, about = folder.spec(), folder.read_json("variants.json")
    names = [choice.name for choice in spec.variants]
    if not names:
        raise UsageError(f"{folder.path} has no enhanced variant", "It scored the untouched backbone only.")
    if variant is None:
        if len(names) > 1:
            raise UsageError("``variant``: which one?", f"The run has: {', '.join(names)}.")
        variant = names[0]
    choice = spec.fitted(variant)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UsageError(f"{target} is not an empty folder", "Give another ``to``.")
    pinned = folder.pinned()
    backbone = get_backbone(spec.backbone)
    checkpoint = find_checkpoint(backbone, revision=pinned.get("backbone_revision"), notify=progress.notify, trust=trust_model)
    if checkpoint.digest != pinned["backbone_digest"]:
        raise RunError(
            f"the run in {folder.path} was made with other weights: {pinned['backbone_digest']} there, {checkpoint.digest} here",
            "Bring the old weights back.",
        )
    enhancement = load_fitted(folder, choice, checkpoint.digest)
    if not enhancement.mergeable:
        raise UsageError(
            f"'{variant}' acts while the model runs and cannot be merged into its weights",
            "lensbench applies it: score or answer with it in a run.",
        )
    loaded = load_backbone(backbone, checkpoint, device="cpu", dtype=dtype or about["dtype"], trust=trust_model)
    with enhancement.applied(loaded, "en"):
        save_model(loaded.model, loaded.tokenizer, target)
    card = folder.card(variant)
    write_atomically(
        target / "lensbench.json", json.dumps({"variant": variant, "card": card}, indent=1, ensure_ascii=False) + "\n"
    )
    return variant
