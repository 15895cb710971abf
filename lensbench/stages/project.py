"""Hidden states of parallel prompts in the subspaces of an enhancement, written into the run folder for a figure to draw."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lensbench.backbones import get_backbone, with_system
from lensbench.backbones.load import LoadedBackbone, load_backbone
from lensbench.backbones.resolve import find_checkpoint
from lensbench.datasets.rows import load_rows_spec
from lensbench.datasets.sources import DataSource, open_data
from lensbench.errors import DataError, RunError, UsageError, unknown_name
from lensbench.jsonio import JsonObject
from lensbench.languages import get_language
from lensbench.methods.base import Enhancement, Progress
from lensbench.methods.lens.config import LensConfig
from lensbench.methods.lens.prompts import pad, probe_ids
from lensbench.methods.lens.states import read_states
from lensbench.methods.lens.views import Plane, views
from lensbench.records import RunFolder
from lensbench.safenames import folder_name
from lensbench.spec import BASE
from lensbench.stages.variants import load_fitted

__all__ = ["parallel_texts", "project", "states_of"]

_BATCH = 8
_DIGITS = 5
_PARTS = ("agnostic", "specific")


def project(
    folder: RunFolder,
    variant: str | None,
    progress: Progress,
    *,
    rows: str = "multiq",
    data: str | None = None,
    limit: int | None = None,
    device: str = "auto",
    trust_model: bool = False,
) -> Path:
    """Write `projections/VARIANT.json`: the states of untouched backbone and variant in the variant's subspaces.

    Both are read where LENS probed, at the last token of the prompt after the last layer the subspaces are of. The planes are
    those of both variants' states together, so that the two can be compared point by point.

    Args:
        variant: None takes the only one that has subspaces.
        rows: Data set whose rows are parallel across languages.
        data: Where its rows are; None is where the run's are.
        limit: Prompts per language; None is all.
        trust_model: Whether Python code of a model given as folder or hub id may run.

    Raises:
        UsageError: no such variant, or one without subspaces.
        DataError: too few prompts that exist in every language.
        RunError: other weights than the run's, or an unreadable enhancement.
    """
    spec, about = folder.spec(), folder.read_json("variants.json")
    name = _choose(folder, [choice.name for choice in spec.variants], variant)
    codes = (folder.card(name) or {}).get("languages")
    if not isinstance(codes, list) or not codes or not all(isinstance(code, str) for code in codes):
        raise RunError(f"{folder.enhancement(name) / 'card.json'} does not say which languages '{name}' was fitted on")
    texts = parallel_texts(open_data(data or spec.data), rows, codes, limit, folder.pinned().get(f"rows:{rows}"))

    backbone = with_system(get_backbone(spec.backbone), spec.system)
    checkpoint = find_checkpoint(
        backbone, revision=folder.pinned().get("backbone_revision"), notify=progress.notify, trust=trust_model
    )
    if checkpoint.digest != about["backbone_digest"]:
        raise RunError(
            f"the run in {folder.path} was made with other weights: {about['backbone_digest']} there, {checkpoint.digest} here",
            "Bring the old weights back.",
        )
    enhancement: Any = load_fitted(folder, spec.fitted(name), checkpoint.digest)
    loaded = load_backbone(backbone, checkpoint, device=device, dtype=about["dtype"], trust=trust_model)
    config = LensConfig.model_validate(enhancement.card["config"])
    layer = max(int(key.split(".")[1]) for key in enhancement.extras)
    both = np.concatenate([states_of(loaded, chosen, texts, layer, config, progress) for chosen in (None, enhancement)])
    agnostic, specific = (enhancement.extras[f"layer.{layer}.{part}"].double().numpy() for part in _PARTS)
    seen = views(both, specific, agnostic)
    file = f"projections/{folder_name(name)}.json"
    folder.write_json(
        file,
        {
            "variant": name,
            "enhancement": enhancement.digest,
            "backbone": spec.backbone,
            "rows": rows,
            "layer": layer,
            "layers": len(loaded.blocks),
            "rank": specific.shape[1],
            "languages": list(codes),
            "prompts": len(texts[codes[0]]),
            "states": [[of, code] for of in (BASE, name) for code in codes for _ in texts[code]],
            "specific": _plane(seen.specific),
            "rest": _plane(seen.rest),
            "agnostic": [_short(value) for value in seen.agnostic],
        },
    )
    return folder.path / file


def parallel_texts(
    source: DataSource, rows: str, codes: Sequence[str], limit: int | None, revision: str | None = None
) -> dict[str, list[str]]:
    """Prompts that exist in every language, by language, in one order.

    Raises:
        UsageError: the data set does not say which rows are versions of one item, or has no prompts.
        DataError: fewer than two prompts exist in every language.
    """
    spec = load_rows_spec(rows)
    if spec.source_item is None or "prompt" not in spec.columns:
        raise UsageError(f"'{rows}' is no data set of parallel prompts", "MultiQ is one: ``rows=multiq``.")
    split = spec.source_item.splits[0]
    sides: dict[str, dict[Any, str]] = {}
    for code in codes:
        found = source.load(spec, get_language(code), split, revision).rows
        sides[code] = {
            row[spec.source_item.column]: row["prompt"] for row in found if row.get(spec.source_item.column) is not None
        }
    common = [item for item in sides[codes[0]] if all(item in sides[code] for code in codes)][:limit]
    if len(common) < 2:
        raise DataError(
            f"{source.describe()}: {len(common)} prompts of '{rows}' exist in all of {', '.join(codes)}; two are needed"
        )
    return {code: [sides[code][item] for item in common] for code in codes}


def states_of(
    loaded: LoadedBackbone,
    enhancement: Enhancement | None,
    texts: dict[str, list[str]],
    layer: int,
    config: LensConfig,
    progress: Progress,
) -> Any:
    """States of the read-out token, language after language: `[languages * prompts, hidden]`, float64."""
    found = []
    side = loaded.tokenizer.padding_side if config.readout == "official" else "left"
    name = BASE if enhancement is None else "enhanced"
    with progress.stage(f"reading states, {name}", sum(map(len, texts.values()))) as advance:
        for code, prompts in texts.items():
            ids = probe_ids(loaded, prompts, config)
            for start in range(0, len(ids), _BATCH):
                batch = pad(ids[start : start + _BATCH], loaded.pad_id, loaded.device, side)
                if enhancement is None:
                    states = read_states(loaded, batch, (layer,))
                else:
                    with enhancement.applied(loaded, code):
                        states = read_states(loaded, batch, (layer,))
                found.append(states[layer][:, -1].double().cpu().numpy())
                advance(len(batch.ids))
    return np.concatenate(found)


def _choose(folder: RunFolder, names: Sequence[str], variant: str | None) -> str:
    having = [name for name in names if (folder.enhancement(name) / "subspaces.safetensors").is_file()]
    if variant is not None and variant not in names:
        raise unknown_name("variant", variant, names)
    if not having or (variant is not None and variant not in having):
        raise UsageError(
            f"{folder.path}: {variant or 'no variant'} has {'no ' if variant else ''}subspaces",
            "LENS leaves them behind; other methods find none.",
        )
    if variant is None and len(having) > 1:
        raise UsageError("``variant``: which one?", f"Subspaces have: {', '.join(having)}.")
    return variant or having[0]


def _plane(plane: Plane) -> JsonObject:
    return {"points": [[_short(value) for value in point] for point in plane.points], "shares": [_short(s) for s in plane.shares]}


def _short(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")
